"""The commands as a user types them: exit codes, files, one line for each mistake."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import torch

from centernet import cli
from centernet.commands.jobs import train as jobs
from centernet.console.exit_code import BROKEN_PIPE, exit_code
from centernet.io.run_folder import RunFolder
from centernet.models.checkpoint import read_checkpoint
from centernet.runtime.device import choose_devices
from centernet.runtime.errors import UserError
from tests.tiny_coco import write_tiny_coco

SRC = Path(__file__).resolve().parents[1] / "src"
QUICK = (
    "ctdet --arch mobilenetv3 --weights none --input_res 64 --batch_size 4 --num_workers 0"
    " --gpus -1 --val_intervals 2"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root in which run `a` has trained for two epochs."""
    folder = tmp_path_factory.mktemp("root")
    assert train(folder, "--exp_id a --num_epochs 2") == 0
    return folder


def train(root: Path, line: str) -> int:
    data = write_tiny_coco(root / "tiny")
    return cli.train([*QUICK.split(), *data, *line.split()], root)


def rows(root: Path, run: str = "a") -> list[dict]:
    text = (root / "exp" / "ctdet" / run / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def weights(root: Path, run: str) -> dict[str, torch.Tensor]:
    return read_checkpoint(root / "exp" / "ctdet" / run / "model_last.pth").weights


class TestTrain:
    def test_says_which_deformable_convolution_runs(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        line = "--exp_id d --arch resdcn_18 --dcn torchvision --num_epochs 1 --num_iters 1"
        assert train(tmp_path, line) == 0
        assert "DCNv2: torchvision (forced)" in capsys.readouterr().out

    def test_leaves_a_run_folder(self, root: Path) -> None:
        folder = root / "exp" / "ctdet" / "a"
        for name in ("model_last.pth", "model_best.pth", "log.txt", "opt.json", "opt.txt"):
            assert (folder / name).stat().st_size > 0
        written = rows(root)
        assert [(row["epoch"], row["phase"]) for row in written[:3]] == [
            (1, "train"),
            (2, "train"),
            (2, "val"),
        ]
        assert {"loss", "hm_loss", "wh_loss", "off_loss", "lr"} <= written[0].keys()
        assert {"loss", "AP", "AP50"} <= written[2].keys()
        assert written[1]["loss"] < written[0]["loss"]

    def test_the_checkpoint_describes_itself(self, root: Path) -> None:
        checkpoint = read_checkpoint(root / "exp" / "ctdet" / "a" / "model_last.pth")
        said = checkpoint.description
        assert (said["task"], said["arch"], checkpoint.epoch) == ("ctdet", "mobilenetv3", 2)
        assert tuple(said["class_names"]) == ("dark", "bright")
        assert tuple(said["input_size"]) == (64, 64)
        assert said["dataset"] == "custom"

    def test_resumed_is_equal_to_never_stopped(self, root: Path) -> None:
        assert train(root, "--exp_id b --num_epochs 1") == 0
        assert cli.train(["ctdet", "--exp_id", "b", "--resume", "--num_epochs", "2"], root) == 0
        assert [row["epoch"] for row in rows(root, "b") if row["phase"] == "train"] == [1, 2]
        straight, resumed = weights(root, "a"), weights(root, "b")
        assert all(torch.equal(straight[key], resumed[key]) for key in straight)
        saved = json.loads((root / "exp" / "ctdet" / "b" / "opt.json").read_text())
        assert (saved["arch"], saved["num_epochs"]) == ("mobilenetv3", 2)

    def test_finished_run_stays_as_it_is(
        self, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = (root / "exp" / "ctdet" / "a" / "opt.json").read_text()
        assert cli.train(["ctdet", "--exp_id", "a", "--resume", "--batch_size", "2"], root) == 0
        said = capsys.readouterr().out
        assert "already complete: 2 of 2 epochs" in said
        assert "--batch_size is 2 now, the run had 4" in said
        assert (root / "exp" / "ctdet" / "a" / "opt.json").read_text() == before

    @pytest.mark.usefixtures("pages")
    def test_resume_before_the_first_epoch_starts(
        self, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert train(root, "--exp_id c --resume --num_epochs 1 --num_iters 1") == 0
        said = capsys.readouterr().out
        assert "nothing to resume" in said
        assert [row["epoch"] for row in rows(root, "c") if row["phase"] == "train"] == [1]
        page = root / "exp" / "ctdet" / "c" / "report.html"
        assert f"report: {page}" in said
        assert page.exists()

    def test_fine_tuning_killed_in_its_first_epoch_starts_from_the_same_weights(
        self, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        line = f"--exp_id tune --num_epochs 1 --load_model {root}/exp/ctdet/a/model_last.pth"
        assert train(root, line) == 0
        whole = weights(root, "tune")
        for path in (root / "exp" / "ctdet" / "tune").glob("*.pth"):
            path.unlink()  # what a kill in the first epoch leaves
        capsys.readouterr()
        assert cli.train(["ctdet", "--exp_id", "tune", "--resume"], root) == 0
        assert "nothing to resume" in capsys.readouterr().out
        again = weights(root, "tune")
        assert all(torch.equal(whole[key], again[key]) for key in whole)
        assert {row["epoch"] for row in rows(root, "tune")} == {1}

    def test_a_metric_that_is_none_stops_before_training(
        self, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert train(root, "--exp_id odd --metric AP_50 --num_epochs 1") == 2
        said = capsys.readouterr()
        assert "--metric: unknown metric 'AP_50'; did you mean AP50? choose from loss, " in said.err
        assert "epoch 1" not in said.out

    def test_the_command_that_goes_on_can_be_pasted(
        self,
        root: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def interrupt(*args: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("centernet.trains.trainer.validation_losses", interrupt)
        folder = tmp_path / "my runs"
        words = ["--exp_id", "a b", "--num_epochs", "3", "--root", str(folder)]
        data = write_tiny_coco(tmp_path / "tiny")
        assert cli.train([*QUICK.split(), *data, *words], root) == 130
        said = capsys.readouterr().out
        assert f"To go on: python main.py ctdet --exp_id 'a b' --resume --root '{folder}'" in said

    def test_the_same_command_again_keeps_the_run_that_was_there(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert train(tmp_path, "--exp_id r --num_epochs 2") == 0
        exp = tmp_path / "exp" / "ctdet"
        old = {path.name: path.read_bytes() for path in (exp / "r").glob("*.pth")}
        capsys.readouterr()
        start = f"--load_model {exp}/r/model_best.pth"
        assert train(tmp_path, f"--exp_id r --num_epochs 1 {start}") == 0
        said = capsys.readouterr().out
        assert f"{exp / 'r'} held a run of 2 epochs, which is now {exp / 'r.1'}" in said
        assert {path.name: path.read_bytes() for path in (exp / "r.1").glob("*.pth")} == old
        assert {row["epoch"] for row in rows(tmp_path, "r")} == {1}
        assert re.search(r"model_best.pth: loaded (\d+)/\1\n", said)
        saved = json.loads((exp / "r" / "opt.json").read_text())
        assert saved["load_model"] == str(exp / "r.1" / "model_best.pth")

    def test_without_validation_data(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = write_tiny_coco(tmp_path / "tiny")
        place = data.index("--val_json")
        line = [*QUICK.split(), *data[:place], *data[place + 2 :], "--num_epochs", "1"]
        assert cli.train([*line, "--exp_id", "n"], tmp_path) == 2
        assert "--val_intervals 0 trains without validation" in capsys.readouterr().err
        for more in (["--val_intervals", "0"], ["--trainval"]):
            assert cli.train([*line, "--exp_id", "n", *more], tmp_path) == 0
            assert {row["phase"] for row in rows(tmp_path, "n")} == {"train"}

    def test_patience_ends_a_run_that_gets_no_better(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        line = "--exp_id p --num_epochs 9 --lr 0 --val_intervals 1 --patience 2"
        assert train(tmp_path, line) == 0
        said = capsys.readouterr().out
        assert "stopped after epoch 3: no better AP in 2 validations (--patience 2)" in said
        assert max(row["epoch"] for row in rows(tmp_path, "p")) == 3
        events = RunFolder(tmp_path / "exp" / "ctdet" / "p").events()
        assert [event.get("epoch") for event in events] == [None, 3]
        assert cli.train(["ctdet", "--exp_id", "p", "--resume"], tmp_path) == 0
        assert "stopped after epoch 3" in capsys.readouterr().out
        assert max(row["epoch"] for row in rows(tmp_path, "p")) == 3

    def test_validates_only(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        model = root / "exp" / "ctdet" / "a" / "model_last.pth"
        assert train(root, f"--exp_id only --test --load_model {model}") == 0
        assert "AP" in capsys.readouterr().out
        assert not (root / "exp" / "ctdet" / "only" / "model_last.pth").exists()

    def test_trainval_uses_both_parts_and_validates_never(
        self, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert train(root, "--exp_id whole --trainval --num_epochs 1") == 0
        assert "[3/3]" in capsys.readouterr().out  # 8 + 4 images in batches of 4
        assert {row["phase"] for row in rows(root, "whole")} == {"train"}

    def test_fine_tuning_takes_the_checkpoints_architecture(
        self, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = write_tiny_coco(root / "tiny")
        model = str(root / "exp" / "ctdet" / "a" / "model_best.pth")
        line = "ctdet --exp_id tuned --input_res 64 --batch_size 4 --num_workers 0 --num_epochs 1"
        words = [*line.split(), "--num_iters", "1", "--load_model", model, *data]
        assert cli.train(words, root) == 0
        assert re.search(r"model_best.pth: loaded (\d+)/\1\n", capsys.readouterr().out)
        saved = json.loads((root / "exp" / "ctdet" / "tuned" / "opt.json").read_text())
        assert saved["arch"] == "mobilenetv3"


class TestTest:
    def test_of_a_run_by_name(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert (
            cli.test(
                ["ctdet", "--exp_id", "a", "--resume", "--flip_test", "--num_workers", "2"], root
            )
            == 0
        )
        said = capsys.readouterr().out
        for stage in ("tot", "load", "pre", "net", "dec", "post", "merge"):
            assert re.search(rf"\b{stage} \d", said)
        assert (root / "exp" / "ctdet" / "a" / "results.json").exists()
        last = rows(root)[-1]
        assert (last["phase"], last["epoch"]) == ("test", 2)
        assert "AP" in last

    @pytest.mark.parametrize(
        "how",
        [
            "--keep_res --not_prefetch_test",
            "--flip_test --test_scales 0.5,1,1.5",
            "--nms --K 20 --test_batch_size 3",
        ],
    )
    def test_ways_to_test(self, root: Path, how: str) -> None:
        assert cli.test(f"ctdet --exp_id a --resume {how}".split(), root) == 0

    @pytest.mark.parametrize(
        ("names", "code", "told"),
        [
            (("bright", "dark"), 2, "has the classes in the order dark, bright, the data bright, "),
            (
                ("black", "white"),
                0,
                "2 classes (dark, bright), the data has 2 classes (black, wh",
            ),
        ],
    )
    def test_classes_of_other_names(
        self,
        root: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        names: tuple[str, str],
        code: int,
        told: str,
    ) -> None:
        """A network that is read with the classes of other data would be judged wrongly."""
        data = json.loads((root / "tiny" / "val.json").read_text())
        for row, name in zip(data["categories"], names, strict=True):
            row["name"] = name
        (tmp_path / "val.json").write_text(json.dumps(data))
        line = f"ctdet --exp_id a --resume --val_json {tmp_path}/val.json"
        assert cli.test(line.split(), root) == code
        said = capsys.readouterr()
        assert told in said.out + said.err

    @pytest.mark.parametrize("level", ["1", "2", "3", "4"])
    def test_debug_draws_detections_and_heat_maps(self, root: Path, level: str) -> None:
        folder = root / "exp" / "ctdet" / "a" / "debug"
        shutil.rmtree(folder, ignore_errors=True)
        assert cli.test(["ctdet", "--exp_id", "a", "--resume", "--debug", level], root) == 0
        kinds = ("out",) if level == "1" else ("out", "hm")
        assert {path.name for path in folder.iterdir()} == {
            f"{n}_{kind}.jpg" for n in (9, 10, 11, 12) for kind in kinds
        }
        assert all(cv2.imread(str(path)).shape == (64, 64, 3) for path in folder.iterdir())

    def test_of_the_test_part(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["ctdet", "--exp_id", "a", "--resume", "--dry_run"]
        for more in (["--split", "test"], ["--trainval"]):
            assert cli.test([*words, *more], root) == 2
            assert "--test_json is needed for the test part" in capsys.readouterr().err
        train_json = str(root / "tiny" / "train.json")
        assert cli.test([*words, "--split", "test", "--test_json", train_json], root) == 0
        assert "8 images to test on" in capsys.readouterr().out

    def test_a_run_that_is_not_there_leaves_no_folder(self, root: Path) -> None:
        assert cli.test(["ctdet", "--exp_id", "typo", "--resume"], root) == 2
        assert not (root / "exp" / "ctdet" / "typo").exists()


class TestDemo:
    def test_saves_pictures_and_numbers(
        self, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = root / "exp" / "ctdet" / "a" / "model_best.pth"
        words = ["ctdet", "--load_model", str(model), "--demo", str(root / "tiny" / "images")]
        assert cli.demo([*words, "--output", str(root / "out")], root) == 0
        said = capsys.readouterr().out
        assert all(f"saved {root / 'out' / f'{n}.png'}" in said for n in range(1, 13))
        assert len(list((root / "out").glob("*.png"))) == 12
        numbers = json.loads((root / "out" / "results.json").read_text())
        assert len(numbers) == 12
        assert numbers[0]["image_size"] == [64, 64]

    @pytest.mark.parametrize("level", ["3", "4"])
    def test_debug_keeps_the_heat_maps(self, root: Path, level: str) -> None:
        image = root / "tiny" / "images" / "1.png"
        folder = root / "exp" / "ctdet" / "a" / "debug"
        shutil.rmtree(folder, ignore_errors=True)
        words = f"ctdet --exp_id a --resume --debug {level} --demo {image}".split()
        assert cli.demo(words, root) == 0
        assert {path.name for path in folder.iterdir()} == {"1_out.jpg", "1_hm.jpg"}

    def test_needs_only_the_checkpoint(self, root: Path) -> None:
        model = root / "exp" / "ctdet" / "a" / "model_best.pth"
        image = root / "tiny" / "images" / "1.png"
        assert cli.demo(["--load_model", str(model), "--demo", str(image)], root) == 0
        results = root / "exp" / "ctdet" / "default" / "results"
        assert {path.name for path in results.iterdir()} == {"1.png", "results.json"}

    def test_show_without_a_display_is_no_error(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(sys, "platform", "linux")
        image = root / "tiny" / "images" / "1.png"
        words = f"ctdet --exp_id a --resume --show --demo {image}".split()
        assert cli.demo(words, root) == 0
        assert "no display: --show has no effect" in capsys.readouterr().err


MISTAKES = [
    ("train", "", "name the task first, one of: ctdet"),
    ("train", "cdet", "did you mean ctdet"),
    ("train", "ctdet --lr fast", "--lr: takes a number, not 'fast'"),
    ("train", "ctdet --arch dla", "choose from res_18"),
    ("train", "ctdet --dataset coko", "did you mean coco"),
    ("train", "ctdet --dataset coco", "instances_train2017.json"),
    ("train", "ctdet --dataset custom --train_json no.json", "no.json"),
    ("train", "ctdet TINY --weights nowhere.pth", "nowhere.pth: no such file"),
    ("train", "ctdet TINY --weights none --input_res 100", "multiples of 32 for dla_34"),
    ("test", "ctdet TINY --load_model MODEL --input_res 100", "set --input_res, or"),
    ("train", "ctdet TINY --weights none --keep_res", "add --batch_size 1"),
    ("train", "ctdet TINY --arch mobilenetv3 --weights none --input_res 64", "--batch_size 8"),
    ("train", "ctdet TINY --load_model no.pth", "no.pth: no such checkpoint"),
    ("test", "ctdet", "--load_model FILE"),
    ("test", "ctdet TINY --load_model no.pth", "no.pth: no such checkpoint"),
    ("test", "ctdet TINY --load_model MODEL --arch res_18", "add --arch mobilenetv3"),
    ("test", "ctdet --dataset coco --load_model MODEL", "instances_val2017.json"),
    ("test", "ctdet TINY --load_model MODEL --cat_spec_wh", "wh"),
    ("train", "multi_pose TINY --weights none", "needs keypoints, but data set train has only"),
    ("test", "multi_pose TINY --load_model MODEL", "is of task ctdet, not multi_pose"),
    ("demo", "multi_pose --demo IMAGE --load_model MODEL", "is of task ctdet, not multi_pose"),
    ("demo", "ctdet", "--demo: name an image"),
    ("demo", "ctdet --demo nothing.jpg", "nothing.jpg: no such file or folder"),
    ("demo", "ctdet --demo EMPTY", "no image in this folder"),
    ("demo", "ctdet --demo EMPTY/a.txt --load_model MODEL", "lists no image"),
    ("demo", "--demo TEXT", "name the task first"),
    ("demo", "ctdet --demo TEXT --load_model MODEL", "lists no image"),
    ("demo", "ctdet --demo IMAGE --load_model TEXT", "not a checkpoint"),
]


@pytest.mark.parametrize(("verb", "line", "said"), MISTAKES, ids=[m[1] or "none" for m in MISTAKES])
def test_each_mistake_is_one_line(
    root: Path,
    tmp_path: Path,
    verb: str,
    line: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    for text in (tmp_path / "empty" / "a.txt", tmp_path / "text.txt"):
        text.write_text("\n")
    for word, meaning in {
        "TINY": " ".join(write_tiny_coco(root / "tiny")),
        "MODEL": root / "exp" / "ctdet" / "a" / "model_best.pth",
        "EMPTY": tmp_path / "empty",
        "TEXT": tmp_path / "text.txt",
        "IMAGE": root / "tiny" / "images" / "1.png",
    }.items():
        line = line.replace(word, str(meaning))
    more = "" if verb == "demo" else " --num_workers 0"
    assert cli.call(verb, [*line.split(), *more.split()], tmp_path) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert len(complaint.splitlines()) == 1
    assert complaint.startswith(f"{'main' if verb == 'train' else verb}.py: ")


def test_interruption_is_130(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "train_process", interrupted)
    assert cli.train(["ctdet", "--gpus", "-1"], root) == 130


class TestDevices:
    def test_the_cpu_is_taken_when_there_is_no_gpu_and_that_is_said(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        lines: list[str] = []
        assert choose_devices((0, 1), lines.append) == [torch.device("cpu")]
        assert "no GPU: running on the CPU" in lines[0]
        assert choose_devices((-1,), lines.append) == [torch.device("cpu")]
        assert len(lines) == 1

    def test_gpus_by_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        assert choose_devices((1, 0)) == [torch.device("cuda", 1), torch.device("cuda", 0)]
        with pytest.raises(UserError, match="no GPU 2 here; choose from 0,1"):
            choose_devices((0, 2))

    def test_several_gpus_are_as_many_processes(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
        started = []
        monkeypatch.setattr(jobs, "spawn", lambda *call: started.append(call))
        assert cli.train(["ctdet", "--gpus", "1,3"], root) == 0
        (function, (options,), devices) = started[0]
        assert function is jobs.train_process
        assert (options.task_name, devices) == ("ctdet", (1, 3))


class TestScripts:
    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, words)], capture_output=True, text=True, check=False
        )

    @pytest.mark.parametrize("name", ["main", "test", "demo"])
    def test_without_the_package_they_say_how_to_install_it(self, name: str) -> None:
        done = self.run("-I", "-S", SRC / f"{name}.py", "ctdet")
        assert done.returncode == 1
        assert f"centernet is not installed in {sys.base_prefix}" in done.stderr
        assert f"pip install -e {SRC.parent}" in done.stderr

    def test_main_speaks_for_itself(self) -> None:
        done = self.run(SRC / "main.py", "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert "usage: main.py <task>" in done.stdout
        assert "ctdet" in done.stdout

    def test_mistakes_end_with_2(self) -> None:
        done = self.run(SRC / "demo.py", "ctdet", "--dmeo", "x")
        assert done.returncode == 2
        assert done.stderr == "demo.py: unknown word '--dmeo'; did you mean --demo?\n"

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
    @pytest.mark.parametrize(
        "words", [["main.py", "ctdet", "--help"], ["info.py", "--arch", "res_18"]]
    )
    def test_nobody_reads_on(self, words: list[str]) -> None:
        """As `main.py ctdet --help | head` does, only surely: the reader is gone from the start."""
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, str(SRC / words[0]), *words[1:]]
        done = subprocess.run(
            command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (BROKEN_PIPE, "")

    def test_another_pipe_is_no_excuse(self) -> None:
        def work() -> None:
            raise BrokenPipeError

        with pytest.raises(BrokenPipeError):
            exit_code("main.py", work)


class TestConsole:
    def test_usage(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main([]) == 2
        assert cli.main(["--help"]) == 0
        assert "train       Train a network (takes a task)" in capsys.readouterr().out

    @pytest.mark.parametrize("verb", ["train", "test", "demo"])
    def test_verbs(self, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main([verb, "ctdet", "--lrr", "1"]) == 2
        assert f"centernet {verb}: unknown word" in capsys.readouterr().err

    def test_a_task_alone_means_training(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["ctdet", "--lr", "x"]) == 2
        assert "centernet train: --lr" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.heavy
def test_torchrun_with_two_processes(tmp_path: Path) -> None:
    data = write_tiny_coco(tmp_path / "tiny")
    words = [*QUICK.split(), *data, "--num_epochs", "2", "--root", str(tmp_path), "--threads", "1"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"),
            *("--standalone", str(SRC / "main.py")),
            *words,
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert [row["phase"] for row in rows(tmp_path, "default")] == ["train", "train", "val"]
    assert done.stdout.count("epoch 1 | train") == 1
