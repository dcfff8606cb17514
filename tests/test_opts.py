"""The parser beside the published one: every flag, every command line, every mistake."""

from __future__ import annotations

import dataclasses
import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from centernet.options import groups
from centernet.options.flag import flags_of
from centernet.options.layers import parse as parse_options
from centernet.options.options import Options, common_flags, shared_groups
from centernet.options.parser import Parser, expand
from centernet.options.published import ORACLE, ORACLES, PUBLISHED
from centernet.options.verbs import VERBS, Verb
from centernet.opts import FlatOptions, opts
from centernet.runtime.errors import UserError
from centernet.runtime.option import option
from centernet.tasks import TASKS
from tests.parity_cases import folder
from tests.published_commands import SCRIPTS, commands

# Every flag of the published parser: its type and its default, as written on a command line.
# fmt: off
INVENTORY: dict[str, tuple[type, Any]] = {
    "dataset": (str, "coco"), "exp_id": (str, "default"), "test": (bool, False),
    "debug": (int, 0), "demo": (str, ""), "load_model": (str, ""), "resume": (bool, False),
    "gpus": (str, "0"), "num_workers": (int, 4), "not_cuda_benchmark": (bool, False),
    "seed": (int, 317), "print_iter": (int, 0), "hide_data_time": (bool, False),
    "save_all": (bool, False), "metric": (str, "loss"), "vis_thresh": (float, 0.3),
    "debugger_theme": (str, "white"), "arch": (str, "dla_34"), "head_conv": (int, -1),
    "down_ratio": (int, 4), "input_res": (int, -1), "input_h": (int, -1), "input_w": (int, -1),
    "lr": (float, 0.000125), "lr_step": (str, "90,120"), "num_epochs": (int, 140),
    "batch_size": (int, 32), "master_batch_size": (int, -1), "num_iters": (int, -1),
    "val_intervals": (int, 5), "trainval": (bool, False), "flip_test": (bool, False),
    "test_scales": (str, "1"), "nms": (bool, False), "K": (int, 100),
    "not_prefetch_test": (bool, False), "fix_res": (bool, False), "keep_res": (bool, False),
    "not_rand_crop": (bool, False), "shift": (float, 0.1), "scale": (float, 0.4),
    "rotate": (float, 0), "flip": (float, 0.5), "no_color_aug": (bool, False),
    "aug_rot": (float, 0), "aug_ddd": (float, 0.5), "rect_mask": (bool, False),
    "kitti_split": (str, "3dop"), "mse_loss": (bool, False), "reg_loss": (str, "l1"),
    "hm_weight": (float, 1), "off_weight": (float, 1), "wh_weight": (float, 0.1),
    "hp_weight": (float, 1), "hm_hp_weight": (float, 1), "dep_weight": (float, 1),
    "dim_weight": (float, 1), "rot_weight": (float, 1), "peak_thresh": (float, 0.2),
    "norm_wh": (bool, False), "dense_wh": (bool, False), "cat_spec_wh": (bool, False),
    "not_reg_offset": (bool, False), "agnostic_ex": (bool, False), "scores_thresh": (float, 0.1),
    "center_thresh": (float, 0.1), "aggr_weight": (float, 0.0), "dense_hp": (bool, False),
    "not_hm_hp": (bool, False), "not_reg_hp_offset": (bool, False), "not_reg_bbox": (bool, False),
    "eval_oracle_hm": (bool, False), "eval_oracle_wh": (bool, False),
    "eval_oracle_offset": (bool, False), "eval_oracle_kps": (bool, False),
    "eval_oracle_hmhp": (bool, False), "eval_oracle_hp_offset": (bool, False),
    "eval_oracle_dep": (bool, False),
}
# fmt: on
# Where not giving a flag means something else here, and what that comes to at the published batch.
SETTLED = {"metric": None}
PARSED = {"gpus": (0,), "lr_step": (90, 120), "test_scales": (1.0,)}


RUNNERS = ("train", "test", "demo")  # the commands that were published


def parse(line: str, verb: str = "train", **more: Any) -> FlatOptions:
    return opts(verb, **more).parse(line.split())


def grouped(line: str, verb: str = "train", **more: Any) -> Options:
    return parse(line, verb, **more).options


def complaint(line: str, verb: str = "train") -> str:
    with pytest.raises(UserError) as caught:
        parse(line, verb)
    message = str(caught.value)
    assert "\n" not in message
    return message


def example(name: str) -> list[str]:
    """The flag with a value that differs from its default."""
    kind, default = INVENTORY[name]
    special = {"gpus": "-1", "lr_step": "5,7", "test_scales": "0.5,1", "arch": "res_18"}
    special |= {"dataset": "pascal", "kitti_split": "subcnn", "reg_loss": "sl1"}
    special |= {"debugger_theme": "black", "down_ratio": "4"}
    if kind is bool:
        return [f"--{name}"]
    return [f"--{name}", special.get(name) or ("text" if kind is str else str(kind(default + 2)))]


@pytest.mark.parametrize("name", INVENTORY)
@pytest.mark.parametrize("verb", RUNNERS)
def test_every_published_flag_has_its_default(name: str, verb: str, tmp_path: Path) -> None:
    kind, default = INVENTORY[name]
    value = getattr(parse("ctdet", verb, root=tmp_path), name)
    assert value == SETTLED.get(name, PARSED.get(name, default))
    if name not in PARSED and name not in SETTLED:
        assert type(value) is kind


@pytest.mark.parametrize("name", INVENTORY)
@pytest.mark.parametrize("verb", RUNNERS)
def test_every_published_flag_is_accepted(name: str, verb: str, tmp_path: Path) -> None:
    words = example(name)
    opt = opts(verb, root=tmp_path).parse(["ctdet", *words])
    value = getattr(opt, name)
    if len(words) == 1:
        assert value is True
    elif isinstance(value, tuple):
        assert ",".join(f"{v:g}" for v in value) == words[1]
    elif name != "debug":
        assert str(value) == words[1]


def test_inventory_is_the_recorded_one() -> None:
    path = folder() / "specs" / "options.json"
    if not path.exists():
        pytest.skip(f"{path} is absent: this selection of recorded numbers leaves it out")
    recorded = {o["dest"]: o for o in json.loads(path.read_text())["cli"] if o["dest"] != "task"}
    assert recorded.keys() == INVENTORY.keys()
    for name, (kind, default) in INVENTORY.items():
        assert recorded[name]["default"] == default
        assert (recorded[name]["kind"] == "StoreTrueAction") == (kind is bool)
        assert recorded[name]["type"] in (None, kind.__name__)
    assert recorded.keys() == PUBLISHED


def test_input_size_is_the_recorded_one() -> None:
    path = folder() / "specs" / "options.json"
    if not path.exists():
        pytest.skip(f"{path} is absent: this selection of recorded numbers leaves it out")
    recorded = json.loads(path.read_text())["resolved"]
    own = {"ctdet": (512, 512), "ddd": (384, 1280)}
    for name, case in recorded.items():
        if not name.startswith("args:"):
            continue
        task = case["args"][0]
        opt = opts().parse(case["args"])
        assert opt.input_size(own[task]) == (case["input_h"], case["input_w"])
        assert list(opt.gpus) == case["gpus"]


@pytest.mark.parametrize(("verb", "line"), commands())
def test_every_published_command_is_understood(verb: str, line: str, tmp_path: Path) -> None:
    opt = parse(line, verb, root=tmp_path)
    words = line.split()
    assert opt.task == words[0]
    for flag, value in zip(words, [*words[1:], ""], strict=True):
        if flag == "--master_batch":
            assert opt.master_batch_size == int(value)
        elif flag == "--lr":
            assert opt.lr == float(value)
        elif flag == "--test_scales":
            assert opt.test_scales == (0.5, 0.75, 1, 1.25, 1.5)
        elif flag == "--gpus":
            assert ",".join(map(str, opt.gpus)) == value
    if verb == "test":
        assert opt.load_model == str(opt.save_dir / "model_last.pth")


def test_all_scripts_are_there() -> None:
    assert len(SCRIPTS) == 19


@pytest.mark.parametrize("verb", RUNNERS)
def test_old_abbreviations_stay_unique(verb: str) -> None:
    """Whatever was short for one published flag still is, whichever flags came later."""
    parser = Parser(VERBS[verb])
    for name in INVENTORY:
        kind, _ = INVENTORY[name]
        for length in range(1, len(name)):
            short = name[:length]
            published = [n for n in INVENTORY if n.startswith(short)]
            if len(published) == 1 and "help".startswith(short) is False:
                words = [f"--{short}"] if kind is bool else [f"--{short}", example(name)[1]]
                given = parser.read(["ctdet", *words])[1]
                if name in ORACLES:
                    assert given == {"eval_oracle": (name.removeprefix(ORACLE),)}
                else:
                    assert given.keys() == {name}


def test_the_task_may_come_after_flags() -> None:
    assert parse("--arch res_18 ctdet --nms").arch == "res_18"


def test_flags_are_declared_once() -> None:
    names = [flag.name for flag in common_flags()]
    assert len(names) == len(set(names))
    for task in TASKS.values():
        assert not {f.name for f in flags_of(task.Options)} & {f.name for f in common_flags()}


@pytest.mark.parametrize("verb", RUNNERS)
@pytest.mark.parametrize("task", TASKS)
def test_help_explains_every_flag(verb: str, task: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(f"{task} --help", verb)
    assert ended.value.code == 0
    text = capsys.readouterr().out
    explained, _, rest = text.partition("Also accepted.")
    words = set(rest.replace(",", " ").replace(".", " ").split())
    parser = Parser(VERBS[verb])
    silent = parser.silent(task)
    for section in parser.sections(task):
        for flag in section.flags:
            if flag.name in silent:
                assert f"--{flag.name}" in words
            else:
                line = explained[explained.index(f"\n  --{flag.name}") :]
                assert " ".join(flag.metadata["help"].split()[:3]) in " ".join(line.split())
    assert {f"--{name}" for name in INVENTORY} <= words | set(explained.split())


def test_help_states_defaults_and_choices(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        parse("ctdet -h")
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: 90,120)" in text
    assert "one of l1, sl1, l2 (default: l1)" in text
    assert "1.25e-4 x batch / 32" in text


def test_help_without_a_task_lists_the_tasks(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        parse("--help")
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for name, task in TASKS.items():
        assert name in text
        assert task.Options.title in text


def test_help_shows_what_the_verb_uses(capsys: pytest.CaptureFixture) -> None:
    shown = {}
    for verb in RUNNERS:
        with pytest.raises(SystemExit):
            parse("ctdet --help", verb)
        shown[verb] = capsys.readouterr().out.partition("Also accepted.")[0]
    assert "--lr " in shown["train"]
    assert "--lr " not in shown["test"]
    assert "--demo " in shown["demo"]
    assert "--demo " not in shown["train"]
    assert "--flip_test " in shown["demo"]


def test_mistakes_are_answered_with_what_was_meant() -> None:
    assert complaint("ctdet lr_step 180,210") == "lr_step: did you mean --lr_step?"
    assert complaint("ctdet -load_model x.pth") == "-load_model: did you mean --load_model?"
    assert "did you mean --arch?" in complaint("ctdet --arhc res_18")
    assert "did you mean ctdet? choose from ctdet" in complaint("cdet")
    assert "ctdet" in complaint("")
    assert "did you mean dla_34? choose from res_18" in complaint("ctdet --arch dla34")
    assert "choose from coco, coco_hp, pascal" in complaint("ctdet --dataset imagenet")
    assert "choose from l1, sl1, l2" in complaint("ctdet --reg_loss l3")
    assert "choose from none, bf16, fp16" in complaint("ctdet --amp fp8")
    assert complaint("ctdet --lr fast") == "--lr: takes a number, not 'fast'"
    assert "--lr_step: takes a whole number, or several" in complaint("ctdet --lr_step 90;120")
    assert complaint("ctdet --lr") == "--lr: expected one argument"
    assert complaint("ctdet --batch_size 0") == "--batch_size must be at least 1, not 0"
    assert "at least 0" in complaint("ctdet --lr nan")
    assert "finite number" in complaint("ctdet --lr inf")
    assert "--input_res, --input_h, --input_w" in complaint("ctdet --input 5")
    assert "name each GPU once" in complaint("ctdet --gpus 0,0")
    assert "-1 alone" in complaint("ctdet --gpus=0,-1")
    assert "choose from 2, 4, 8, 16" in complaint("ctdet --down_ratio 3")


def test_what_has_no_effect_says_so() -> None:
    def told(line: str, verb: str = "train") -> str:
        return "\n".join(grouped(f"ctdet --lr 1e-4 {line}", verb).notices)

    assert told("") == ""
    assert "--master_batch_size has no effect: every GPU" in told("--master_batch 9")
    assert "--rect_mask has no effect for ctdet: it belongs to ddd" in told("--rect_mask")
    assert "--lr has no effect in main.py" in told("", "test")
    assert "--compile has no effect in main.py" in told("--compile", "test")
    assert "--fix_res has no effect beside --keep_res" in told("--fix_res --keep_res")
    assert told("--keep_res") == ""


def test_learning_rate_follows_the_batch_and_is_said() -> None:
    opt = parse("ctdet --batch_size 8 --accumulate 2")
    assert opt.lr == pytest.approx(1.25e-4 / 2)
    assert any("learning rate 6.25e-05" in line and "--lr" in line for line in opt.options.notices)
    assert parse("ctdet").lr == 1.25e-4
    assert parse("ctdet --batch_size 8 --lr 1e-3").lr == 1e-3


def test_debug_means_one_image_one_process() -> None:
    opt = parse("ctdet --debug 2 --batch_size 16 --gpus 1,2")
    assert (opt.batch_size, opt.num_workers, opt.gpus) == (1, 0, (1,))


def test_trainval_leaves_nothing_to_validate_on() -> None:
    assert parse("ctdet --trainval").val_intervals == 10**8


def test_options_are_frozen() -> None:
    opt = parse("ctdet")
    with pytest.raises(dataclasses.FrozenInstanceError):
        opt.lr = 1.0  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        opt.options.task.hm_weight = 2.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        opt.options.train.lr = 2.0
    with pytest.raises(AttributeError, match="no option is called 'learning'"):
        _ = opt.learning


def test_options_travel_to_other_processes() -> None:
    opt = grouped("ctdet --cat_spec_wh --rect_mask")
    there = pickle.loads(pickle.dumps(opt))
    assert there == opt
    assert there.task.cat_spec_wh is True
    flat = pickle.loads(pickle.dumps(parse("ctdet --cat_spec_wh --rect_mask")))
    assert (flat.cat_spec_wh, flat.rect_mask, flat.options) == (True, True, opt)


def test_task_flags_reach_the_task() -> None:
    opt = parse("ctdet --wh_weight 0.5 --reg_loss sl1")
    assert opt.options.task == TASKS["ctdet"].Options(wh_weight=0.5, reg_loss="sl1")
    assert opt.wh_weight == 0.5


def test_init_is_for_detection_inside_a_program() -> None:
    opt = opts().init(["ctdet", "--load_model", "model.pth", "--arch", "res_18"])
    assert (opt.task, opt.load_model, opt.arch, opt.verb) == (
        "ctdet",
        "model.pth",
        "res_18",
        "demo",
    )


def test_folders(tmp_path: Path) -> None:
    opt = parse("ctdet --exp_id a", root=tmp_path)
    assert opt.save_dir == tmp_path / "exp" / "ctdet" / "a"
    assert opt.data_dir == tmp_path / "data"
    other = parse(f"ctdet --root {tmp_path}/b --data_dir /data", root=tmp_path)
    assert other.save_dir == tmp_path / "b" / "exp" / "ctdet" / "default"
    assert other.data_dir == Path("/data")


def test_a_checkpoint_names_the_task(tmp_path: Path) -> None:
    known = {"model.pth": "ctdet"}
    words = ["--load_model", "model.pth"]
    assert opts("demo", tmp_path, task_of=known.get).parse(words).task == "ctdet"
    with pytest.raises(UserError, match="name the task first"):
        opts("train", tmp_path, task_of=known.get).parse(words)


class TestResume:
    def run(self, root: Path, line: str) -> Options:
        opt = grouped(line, root=root)
        opt.save(opt.save_dir)
        (opt.save_dir / "model_last.pth").touch()
        return opt

    def test_reads_back_what_is_not_given(self, tmp_path: Path) -> None:
        before = self.run(
            tmp_path, "ctdet --arch res_18 --batch_size 8 --lr_step 5 --cat_spec_wh --gpus -1"
        )
        opt = grouped("ctdet --resume", root=tmp_path)
        assert opt.model.load_model == str(opt.save_dir / "model_last.pth")
        assert opt.continues
        assert (opt.model.arch, opt.train.batch_size, opt.train.lr) == (
            "res_18",
            8,
            before.train.lr,
        )
        assert (opt.train.lr_step, opt.machine.gpus) == ((5,), (-1,))
        assert opt.data.data_dir == before.data.data_dir
        assert opt.task == before.task
        assert any("resumed with" in line and "--arch res_18" in line for line in opt.notices)

    def test_says_what_differs(self, tmp_path: Path) -> None:
        self.run(tmp_path, "ctdet --batch_size 8 --not_rand_crop")
        opt = grouped("ctdet --resume --batch_size 4 --num_epochs 140", root=tmp_path)
        assert opt.train.batch_size == 4
        assert "--batch_size is 4 now, the run had 8" in opt.notices
        assert not any("num_epochs" in line for line in opt.notices)

    def test_tests_take_only_what_is_the_model(self, tmp_path: Path) -> None:
        self.run(tmp_path, "ctdet --arch res_18 --dataset pascal --keep_res --flip 0")
        opt = grouped("ctdet --resume", "test", root=tmp_path)
        assert (opt.model.arch, opt.data.dataset) == ("res_18", "pascal")
        assert (opt.input.keep_res, opt.augment.flip) == (False, 0.5)

    def test_before_the_first_epoch_training_begins(self, tmp_path: Path) -> None:
        opt = grouped("ctdet --resume", root=tmp_path)
        assert opt.model.load_model == ""
        assert any("nothing to resume" in line for line in opt.notices)

    def test_a_run_killed_before_its_first_checkpoint_starts_as_it_did(
        self, tmp_path: Path
    ) -> None:
        line = "ctdet --arch res_18 --weights none --load_model pre.pth"
        (self.run(tmp_path, line).save_dir / "model_last.pth").unlink()
        opt = grouped("ctdet --resume", root=tmp_path)
        assert (opt.train.weights, opt.model.load_model, opt.continues) == (
            "none",
            "pre.pth",
            False,
        )
        assert "arch" in opt.given  # else that of pre.pth would be taken
        assert any("nothing to resume" in line for line in opt.notices)
        opt.save(opt.save_dir)  # killed again
        assert grouped("ctdet --resume", root=tmp_path).model.load_model == "pre.pth"

    def test_a_removed_checkpoint_is_not_looked_for(self, tmp_path: Path) -> None:
        self.run(tmp_path, "ctdet --weights none")
        opt = grouped("ctdet --resume", root=tmp_path)
        opt.save(opt.save_dir)
        (opt.save_dir / "model_last.pth").unlink()
        assert grouped("ctdet --resume", root=tmp_path).model.load_model == ""

    def test_a_named_checkpoint_goes_first(self, tmp_path: Path) -> None:
        self.run(tmp_path, "ctdet")
        assert (
            grouped("ctdet --resume --load_model a.pth", root=tmp_path).model.load_model == "a.pth"
        )

    def test_a_spoilt_file_is_named(self, tmp_path: Path) -> None:
        opt = self.run(tmp_path, "ctdet")
        (opt.save_dir / "opt.json").write_text('{"arch": ')
        with pytest.raises(UserError, match=r"opt\.json: cannot be read"):
            parse("ctdet --resume", root=tmp_path)


def test_saved_options_hold_every_flag(tmp_path: Path) -> None:
    opt = grouped("ctdet --arch res_18 --test_scales 0.5,1", root=tmp_path)
    opt.save(tmp_path)
    saved = json.loads((tmp_path / "opt.json").read_text())
    assert saved["task"] == "ctdet"
    assert saved["arch"] == "res_18"
    assert saved["test_scales"] == [0.5, 1.0]
    assert saved["command"] == ["main.py", "ctdet", "--arch", "res_18", "--test_scales", "0.5,1"]
    for flag in [*common_flags(), *flags_of(type(opt.task))]:
        assert flag.name in saved
    assert "arch: res_18\n" in (tmp_path / "opt.txt").read_text()


def test_a_command_has_the_flags_of_its_groups() -> None:
    for verb in VERBS.values():
        own = [g for g in verb.groups if g not in shared_groups().values()]
        names = [f.name for group in own for f in flags_of(group)]
        assert len(names) == len(set(names))
        for group, flags in verb.partly.items():
            assert group in verb.groups
            assert set(flags) <= {flag.name for flag in flags_of(group)}


def test_a_flag_of_a_command_hides_the_shared_one_of_its_name() -> None:
    own = dataclasses.make_dataclass("Own", [("output", str, option("", "a file"))], frozen=True)
    verb = Verb("write", "Write", (own, groups.Model), lambda options: None, program="write.py")
    options = parse_options(verb, ["ctdet", "--output", "x"])
    assert options.of(own).output == "x"
    assert options.demo.output is None


def test_groups_are_typed() -> None:
    opt = grouped("ctdet --lr 1e-3 --dataset toy --hm_weight 2 --K 7")
    assert (opt.train.lr, opt.data.dataset, opt.task.hm_weight, opt.test.K) == (1e-3, "toy", 2, 7)
    with pytest.raises(AttributeError):
        _ = opt.lr  # type: ignore[attr-defined]
    changed = opt.changed(lr=1.0, arch="res_18")
    assert (changed.train.lr, changed.model.arch, changed.data) == (1.0, "res_18", opt.data)
    assert opt.train.lr == 1e-3


def test_documented_flags_exist() -> None:
    text = (Path(__file__).resolve().parents[1] / "docs" / "options.md").read_text()
    names = [
        flag.name for section in Parser(VERBS["train"]).sections(None) for flag in section.flags
    ]
    mentioned = set(re.findall(r"--(\w+)", text)) - {"help"}
    assert len(mentioned) > 10
    for name in mentioned:
        assert expand(f"--{name}", names).removeprefix("--") in names
