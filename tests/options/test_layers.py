"""Layers of options: defaults, recipe, config file, what the run remembers, what is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from centernet.options import recipes
from centernet.options.flag import flags_of
from centernet.options.layers import parse
from centernet.options.options import Options, common_flags
from centernet.options.recipes import RECIPES, Recipe
from centernet.options.verbs import VERBS
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS, task_options


def read(line: str, root: Path, verb: str = "train") -> Options:
    return parse(VERBS[verb], line.split(), root)


def config(folder: Path, text: str, name: str = "c.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe with values of every kind."""
    flags = {"lr_step": (3, 5), "batch_size": 4, "no_color_aug": True, "norm_wh": True}
    quick = Recipe("for tests", flags, {"ddd": {"aug_ddd": 0.25}})
    monkeypatch.setitem(recipes.RECIPES, "quick", quick)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("task", TASKS)
def test_recipes_name_flags_and_values_that_there_are(name: str, task: str) -> None:
    flags = {flag.name: flag for flag in [*common_flags(), *flags_of(task_options(task))]}
    every = {f.name for t in TASKS for f in flags_of(task_options(t))} | {*flags}
    for flag, value in RECIPES[name].of(task).items():
        assert flag in every
        if flag in flags:
            flags[flag].check(value)


def test_each_layer_goes_before_the_one_below(tmp_path: Path) -> None:
    path = config(tmp_path, "recipe: quick\ntrain: {batch_size: 6, num_epochs: 7}\nseed: 5\n")
    opt = read(f"ctdet --config {path} --num_epochs 8", tmp_path)
    assert (opt.train.lr_step, opt.augment.no_color_aug) == ((3, 5), True)  # of the recipe
    assert (opt.train.batch_size, opt.train.seed) == (6, 5)  # of the file
    assert opt.train.num_epochs == 8  # given
    assert opt.task.norm_wh is True
    assert opt.train.recipe == "quick"
    opt.save(opt.save_dir)
    opt.folder.last.touch()
    again = read("ctdet --resume", tmp_path)
    assert again.train == opt.train
    assert again.task == opt.task
    other = config(tmp_path, "batch_size: 9\nrecipe: original\n", "other.yaml")
    resumed = read(f"ctdet --resume --config {other} --seed 1", tmp_path)
    assert (resumed.train.batch_size, resumed.train.seed) == (6, 1)  # the run remembers 6


def test_a_recipe_is_told_in_a_line_and_has_no_part_of_other_tasks(tmp_path: Path) -> None:
    opt = read("ctdet --recipe quick", tmp_path)
    (line,) = [line for line in opt.notices if line.startswith("recipe")]
    assert line == "recipe quick: --lr_step 3,5 --batch_size 4 --no_color_aug --norm_wh"
    assert not any("aug_ddd" in line for line in opt.notices)
    ddd = read("ddd --recipe quick", tmp_path)
    assert ddd.task.aug_ddd == 0.25
    assert not any("norm_wh" in line for line in ddd.notices)
    original = read("ctdet --recipe original", tmp_path)
    assert "recipe original: every flag has its default" in original.notices
    assert original.train.lr_step == (90, 120)
    assert not any(line.startswith("recipe") for line in read("ctdet", tmp_path).notices)
    with pytest.raises(UserError, match="--recipe: unknown value 'quik'; did you mean quick"):
        read("ctdet --recipe quik", tmp_path)


def test_a_test_has_no_recipe(tmp_path: Path) -> None:
    opt = read("ctdet --recipe quick", tmp_path, "test")
    assert "--recipe has no effect in test.py" in opt.notices
    assert opt.train.batch_size == 32


def test_bases_merge_sections_and_replace_lists(tmp_path: Path) -> None:
    config(tmp_path, "train: {batch_size: 2, lr_step: [1, 2]}\nmodel: {arch: res_18}\n", "a.yaml")
    config(tmp_path, "train: {lr_step: [4]}\ntest: {test_scales: '0.5,1'}\n", "b.yaml")
    path = config(tmp_path, "__base__: [a.yaml, b.yaml]\ntask: ctdet\nlr: 5e-4\n")
    opt = read(f"--config {path}", tmp_path)
    assert (opt.train.batch_size, opt.train.lr_step, opt.train.lr) == (2, (4,), 5e-4)
    assert (opt.model.arch, opt.test.test_scales, opt.task_name) == ("res_18", (0.5, 1.0), "ctdet")
    assert "arch" in opt.given  # no checkpoint knows better


def test_a_file_names_the_run_too(tmp_path: Path) -> None:
    path = config(tmp_path, f"exp_id: mine\nroot: {tmp_path}/other\n")
    assert read(f"ctdet --config {path}", tmp_path).save_dir == tmp_path / "other/exp/ctdet/mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("batch_sise: 4", "c.yaml: no flag is called 'batch_sise'; did you mean batch_size?"),
        ("train: {lr_stepp: 4}", "c.yaml: train: no flag is called 'lr_stepp'; did you mean lr_s"),
        ("train: {arch: res_18}", "c.yaml: train: no flag is called 'arch'"),
        ("batch_size: four", "c.yaml: batch_size: takes a whole number, not 'four'"),
        ("batch_size: 3.5", "c.yaml: batch_size: takes a whole number, not 3.5"),
        ("batch_size: true", "c.yaml: batch_size: takes a whole number, not True"),
        ("batch_size: [4]", "c.yaml: batch_size: takes a whole number, not [4]"),
        ("batch_size: 0", "c.yaml: --batch_size must be at least 1, not 0"),
        ("arch: res18", "c.yaml: --arch: unknown value 'res18'; did you mean res_18?"),
        ("nms: 1", "c.yaml: nms: takes true or false, not 1"),
        ("wh_weight: {a: 1}", "c.yaml: wh_weight: takes a number, not {'a': 1}"),
        ("- 1", "c.yaml: holds no flags"),
        ("a: b: c", "c.yaml: line 1: not YAML"),
        ("lr: !!python/object/apply:os.system ['true']", "c.yaml: line 1: not YAML"),
        ("__base__: c.yaml", "c.yaml: is its own __base__"),
        ("__base__: none.yaml", "none.yaml: cannot be read"),
        ("hp_weight: 2", "c.yaml: no flag is called 'hp_weight'"),
    ],
)
def test_mistakes_name_file_and_flag(tmp_path: Path, text: str, said: str) -> None:
    path = config(tmp_path, text + "\n")
    with pytest.raises(UserError) as caught:
        read(f"ctdet --config {path}", tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_published_oracles_are_one_flag(tmp_path: Path) -> None:
    """Each of the published flags adds a head; so do our own of that form, and abbreviations."""

    def asked(words: str) -> tuple[str, ...]:
        return read(f"ctdet --load_model x {words}", tmp_path, "test").oracle.eval_oracle

    assert asked("") == ()
    assert asked("--eval_oracle hm,wh") == ("hm", "wh")
    three = "--eval_oracle_hm --eval_oracle_offset --eval_oracle_dim"
    assert asked(three) == ("hm", "offset", "dim")
    assert asked("--eval_oracle=wh --eval_oracle_of --eval_oracle_wh") == ("wh", "offset")
