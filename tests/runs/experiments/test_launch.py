"""A line of a script on this machine or that: batch, learning rate, resuming, the user's flags."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from centernet.commands.call import call
from centernet.opts import opts
from centernet.runs.experiments.launch import Command, command_of, fitted
from centernet.runs.experiments.machine import Machine, accumulation, at_hand
from centernet.runs.experiments.sameness import differences, relevant_options
from centernet.runs.experiments.script import Script, read_script, read_scripts
from centernet.runtime.errors import UserError
from tests.runs.repro.fabricated import SCRIPT

CPU = Machine((-1,), None)
START = "run train ctdet --load_model ctdet_coco_hg"


def gpus(count: int, memory: float) -> Machine:
    return Machine(tuple(range(count)), memory)


def written_script(folder: Path, text: str = SCRIPT) -> Script:
    path = folder / "small.sh"
    path.write_text(text)
    return read_script(path)


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return written_script(tmp_path)


def given(command: Command) -> dict[str, str | bool]:
    """The flags of a command as they are written."""
    flags: dict[str, str | bool] = {}
    for word in command.words[1:]:
        if word.startswith("--"):
            name = word
            flags[name] = True
        else:
            flags[name] = word
    return flags


def train(script: Script, root: Path, machine: Machine = CPU, extra: str = "") -> Command:
    return fitted(script, script.training, extra.split(), root, machine)


@pytest.mark.parametrize(
    ("machine", "batch", "parts"),
    [
        (gpus(8, 12), 128, 1),  # as published
        (gpus(1, 12), 16, 8),
        (gpus(1, 24), 32, 4),
        (gpus(1, 80), 64, 2),
        (gpus(2, 80), 128, 1),
        (gpus(3, 12), 32, 4),
        (gpus(16, 6), 128, 1),
        (gpus(1, 1), 1, 128),
        (CPU, 16, 8),
    ],
    ids=str,
)
def test_the_step_is_the_published_one(
    script: Script, tmp_path: Path, machine: Machine, batch: int, parts: int
) -> None:
    command = train(script, tmp_path, machine)
    flags = given(command)
    assert (flags["--batch_size"], flags["--accumulate"]) == (str(batch), str(parts))
    assert batch * parts == 128
    assert float(flags["--lr"]) == 5e-4
    assert flags["--gpus"] == ",".join(map(str, machine.gpus))
    (note,) = command.notes
    assert note == (
        f"small on {machine}: batch {batch} x {parts}, learning rate 0.0005;"
        " published: batch 128 on 8 GPUs of 12 GB, learning rate 0.0005"
    )


@pytest.mark.parametrize("batch", [1, 16, 24, 32, 96, 114, 128])
@pytest.mark.parametrize("published", [1, 4, 5, 8])
@pytest.mark.parametrize("machine", [CPU, gpus(1, 8), gpus(3, 11), gpus(8, 80)], ids=str)
def test_a_part_fits_and_no_fewer_parts_would(batch: int, published: int, machine: Machine) -> None:
    parts = accumulation(batch, (published, 12), machine)
    share = -(-batch // published) * (machine.memory or 12) / 12
    assert batch % parts == 0
    assert -(-(batch // parts) // len(machine.gpus)) <= max(1, share)
    fewer = [n for n in range(1, parts) if batch % n == 0]
    assert all(-(-(batch // n) // len(machine.gpus)) > int(max(1, share)) for n in fewer)


@pytest.mark.parametrize(
    ("extra", "batch", "parts", "rate"),
    [
        ("--batch_size 32", 32, 1, 1.25e-4),
        ("--batch_size 32 --accumulate 4", 32, 4, 5e-4),
        ("--accumulate 2", 64, 2, 5e-4),
        ("--lr 1e-3", 16, 8, 1e-3),
        ("--batch_size 8 --lr 1e-5", 8, 1, 1e-5),
    ],
)
def test_what_the_user_sets_stays_and_the_rate_follows_the_step(
    script: Script, tmp_path: Path, extra: str, batch: int, parts: int, rate: float
) -> None:
    flags = given(train(script, tmp_path, CPU, extra))
    assert (flags["--batch_size"], flags["--accumulate"]) == (str(batch), str(parts))
    assert float(flags["--lr"]) == pytest.approx(rate)


@pytest.mark.parametrize("extra", ["--accumulate 0", "--batch_size 0"])
def test_no_part_at_all_is_refused_in_one_line(
    script: Script, tmp_path: Path, extra: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(script.path), "train", "ctdet", "--exp_id", "x", "--batch_size", "8"]
    assert call("experiment", [*words, "--lr", "1e-3", "--", *extra.split()], tmp_path) == 2
    complaint = capsys.readouterr().err
    assert "at least 1" in complaint
    assert len(complaint.splitlines()) == 1


def test_the_command_can_be_pasted(script: Script, tmp_path: Path) -> None:
    command = fitted(script, script.tests[0], ["--data_dir", str(tmp_path / "my data")], tmp_path)
    assert shlex.split(str(command))[2:] == list(command.words)


def test_flags_are_passed_on(script: Script, tmp_path: Path) -> None:
    extra = "--dataset toy --num_ep 2 --lr_step 1,2 --keep_res --test_scales 1,2 --data_dir ../d"
    flags = given(train(script, tmp_path, CPU, extra))
    assert (flags["--dataset"], flags["--num_epochs"], flags["--lr_step"]) == ("toy", "2", "1,2")
    assert (flags["--keep_res"], flags["--test_scales"]) == (True, "1.0,2.0")
    assert flags["--data_dir"] == "../d"


def test_of_flags_a_test_takes_those_that_mean_something_to_it(
    script: Script, tmp_path: Path
) -> None:
    extra = "--dataset toy --num_epochs 2 --lr 1 --weights none --K 50 --load_model x.pth"
    command = fitted(script, script.tests[1], extra.split(), tmp_path)
    flags = given(command)
    assert (flags["--dataset"], flags["--K"]) == ("toy", "50")
    assert not {"--num_epochs", "--lr", "--weights", "--load_model"} & flags.keys()
    assert flags["--resume"]
    assert flags["--flip_test"]
    assert command.awaited


def test_a_finished_training_is_not_awaited(script: Script, tmp_path: Path) -> None:
    folder = tmp_path / "exp" / "ctdet" / "small"
    folder.mkdir(parents=True)
    (folder / "model_last.pth").touch()
    assert not fitted(script, script.tests[0], [], tmp_path).awaited


class TestResuming:
    def started(self, root: Path, script: Script, extra: str = "") -> Path:
        """The folder of a run that was started with `extra` and has come to a checkpoint."""
        folder = root / "exp" / "ctdet" / "small"
        options = opts("train", root).parse(train(script, root, CPU, extra).words).options
        options.save(folder)
        (folder / "model_last.pth").touch()
        return folder

    def test_where_it_stopped(self, script: Script, tmp_path: Path) -> None:
        assert "--resume" not in given(train(script, tmp_path))
        self.started(tmp_path, script)
        assert given(train(script, tmp_path))["--resume"]

    def test_not_from_where_it_started(self, tmp_path: Path) -> None:
        script = written_script(tmp_path, SCRIPT.replace("run train ctdet", START))
        assert given(train(script, tmp_path))["--load_model"] == "ctdet_coco_hg"
        assert given(train(script, tmp_path, CPU, "--load_model a.pth"))["--load_model"] == "a.pth"
        self.started(tmp_path, script)
        assert "--load_model" not in given(train(script, tmp_path))
        assert "--load_model" not in given(train(script, tmp_path, CPU, "--load_model a.pth"))

    def test_on_another_machine(self, script: Script, tmp_path: Path) -> None:
        self.started(tmp_path, script)
        flags = given(train(script, tmp_path, gpus(8, 12), "--num_workers 1 --seed 5"))
        assert (flags["--batch_size"], flags["--accumulate"]) == ("128", "1")

    def test_for_longer(self, script: Script, tmp_path: Path) -> None:
        self.started(tmp_path, script)
        assert given(train(script, tmp_path, CPU, "--num_epochs 9"))["--num_epochs"] == "9"

    def test_never_another_experiment(self, script: Script, tmp_path: Path) -> None:
        folder = self.started(tmp_path, script, "--dataset toy --wh_weight 1")
        with pytest.raises(UserError) as caught:
            train(script, tmp_path)
        assert str(caught.value) == (
            f"{folder} holds a run with dataset toy, not coco; wh_weight 1.0, not 0.1: give the"
            " flags that it was started with, or --exp_id for a new one"
        )
        assert given(train(script, tmp_path, CPU, "--dataset toy --wh_weight 1"))["--resume"]
        assert "--resume" not in given(train(script, tmp_path, CPU, "--exp_id other"))

    @pytest.mark.parametrize("text", ["", "[]", "{}"])
    def test_options_that_cannot_be_read(self, script: Script, tmp_path: Path, text: str) -> None:
        folder = self.started(tmp_path, script)
        (folder / "opt.json").write_text(text)
        with pytest.raises(UserError, match=r"opt[.]json: cannot be read"):
            train(script, tmp_path)


class TestMachine:
    def test_without_a_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert at_hand() == at_hand((0, 1)) == CPU
        assert str(CPU) == "the CPU"

    def test_the_smallest_gpu_decides(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sizes = {0: 23.6, 1: 11.8, 2: 79.2}
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
        monkeypatch.setattr(
            torch.cuda,
            "get_device_properties",
            lambda device: SimpleNamespace(total_memory=int(sizes[device.index] * 2**30)),
        )
        assert at_hand() == gpus(3, 12)
        assert at_hand((0, 2)) == Machine((0, 2), 24)
        assert at_hand((-1,)) == CPU
        assert str(at_hand((2,))) == "1 GPU of 80 GB"
        with pytest.raises(UserError, match="no GPU 5 here"):
            at_hand((5,))


class TestMistakes:
    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("#: band: 0.4\n", "", "header 'AP 36.3' is not 'METRIC VALUE'"),
            ("AP 36.3,", "AP good,", "header 'AP good' is not"),
            ("#: source: this test", "#: source", "is not '#: name: value'"),
            ("--keep_res", "--kepe_res", "did you mean --keep_res"),
            ("run train ctdet", "run train", "names no task"),
            ("run train ctdet", "run draw ctdet", "runs train or test"),
        ],
    )
    def test_in_a_script(self, tmp_path: Path, old: str, new: str, said: str) -> None:
        with pytest.raises(UserError) as caught:
            written_script(tmp_path, SCRIPT.replace(old, new))
        assert said in str(caught.value)
        assert str(caught.value).startswith(str(tmp_path / "small.sh"))

    def test_no_published_devices(self, tmp_path: Path) -> None:
        script = written_script(tmp_path, SCRIPT.replace("on 8 GPUs", "on GPUs"))
        with pytest.raises(UserError, match="the header needs '#: batch:"):
            train(script, tmp_path)

    def test_no_script(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"none[.]sh: cannot be read"):
            read_script(tmp_path / "none.sh")
        with pytest.raises(UserError, match="no script of an experiment"):
            read_scripts(tmp_path)

    def test_another_task(self, script: Script, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"small[.]sh is of task ctdet: leave out multi_pose"):
            train(script, tmp_path, CPU, "multi_pose")

    def test_called_by_hand(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(UserError, match="is called by the scripts"):
            command_of(["a.sh", "train"], tmp_path)
        assert call("experiment", [], tmp_path) == 2
        assert capsys.readouterr().err.startswith("experiment.py: is called by the scripts")


def test_modes(script: Script) -> None:
    assert [line.mode for line in script.tests] == ["none", "flip", "multi"]
    assert script.title == "Boxes of a set that nobody has."
    assert [figure.metric for figure in script.expected["none"]] == ["AP", "AP50"]


def test_what_bears_on_figures() -> None:
    def told(line: str) -> dict[str, object]:
        return relevant_options(opts("train").parse(line.split()).options)

    plain = told("ctdet --batch_size 32")
    same = "ctdet --batch_size 8 --accumulate 4 --gpus -1 --seed 1 --exp_id a --dcn plain"
    assert differences(plain, told(same)) == []
    assert differences(plain, told("ctdet --batch_size 32 --flip 0")) == ["flip 0.0, not 0.5"]
    assert differences(plain, told("ctdet --batch_size 32 --mse_loss")) == ["mse_loss on, not off"]
    # A flag that the older of two programs did not have has no say.
    assert differences(plain, {name: v for name, v in plain.items() if name != "amp"}) == []
    # What a saved file holds is compared as well as what was parsed.
    saved = opts("train").parse(["ctdet", "--batch_size", "32"]).options.as_dict()
    assert differences(plain, json.loads(json.dumps(saved))) == []
