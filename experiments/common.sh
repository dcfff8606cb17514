# Sourced by the scripts of this folder, each a row of the published results. A script
#   - runs from anywhere: bash experiments/ctdet_coco_dla_1x.sh
#   - passes flags on to all of its commands: ... --gpus 0,1 --data_dir /data, or ... --dry_run
#   - goes on where it stopped when it is run again
#   - fits its batch to the GPUs at hand and prints what came of it
# PYTHON names the interpreter; else it is that of the environment that is active, or that of .venv
# in this repository.
set -e

venv="$(dirname "${BASH_SOURCE[0]}")/../.venv/bin/python"
if [ -z "$PYTHON" ] && [ -z "$VIRTUAL_ENV$CONDA_PREFIX" ] && [ -x "$venv" ]; then
    PYTHON=$venv
fi

script=${BASH_SOURCE[1]}
extra=("$@")

run() {
    "${PYTHON:-python}" "$(dirname "${BASH_SOURCE[0]}")/../src/experiment.py" \
        "$script" "$@" -- ${extra[@]+"${extra[@]}"}
}
