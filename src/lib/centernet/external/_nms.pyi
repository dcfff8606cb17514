import numpy as np

def soft(
    rows: np.ndarray,
    sigma: float,
    limit: float,
    threshold: float,
    method: int,
    merge: bool,
    exponent: float,
    recorded: bool,
) -> int: ...
def hard(rows: np.ndarray, order: np.ndarray, limit: float, keep: np.ndarray) -> None: ...
