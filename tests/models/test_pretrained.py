"""ImageNet weights: copied completely or refused in one line; nothing is fetched unasked."""

from __future__ import annotations

import hashlib
import socket
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import torchvision

from centernet.io.download import Remote
from centernet.models.checkpoint import read_checkpoint
from centernet.models.networks import BACKBONES, create_backbone
from centernet.models.networks.dla import DLA, SPARE, Trunk
from centernet.models.networks.hourglass import Hourglass
from centernet.models.networks.mobilenet import MobileNet
from centernet.models.networks.resnet import ResNet
from centernet.models.networks.trunks import create_trunk
from centernet.models.pretrained import classifier, initialise
from centernet.runtime.errors import UserError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which a server on this machine offers it."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def backbone() -> ResNet:
    torch.manual_seed(0)
    return ResNet(18, dcn=False)


def classifier_file(path: Path, model: str = "resnet18") -> dict[str, torch.Tensor]:
    """A torchvision classifier with random weights, saved at `path`."""
    torch.manual_seed(1)
    state = torchvision.models.get_model(model, weights=None).state_dict()
    torch.save(state, path)
    return state


def untouched(backbone: ResNet) -> bool:
    torch.manual_seed(0)
    fresh = ResNet(18, dcn=False).state_dict()
    return all(torch.equal(value, fresh[key]) for key, value in backbone.state_dict().items())


@pytest.mark.parametrize(
    ("build", "model"),
    [
        (partial(ResNet, 18, dcn=False), "resnet18"),
        (partial(ResNet, 50, dcn=True), "resnet50"),
        (MobileNet, "mobilenet_v3_large"),
    ],
)
def test_torchvision_classifiers(build: partial, model: str, tmp_path: Path) -> None:
    state = classifier_file(tmp_path / "weights.pth", model)
    backbone = build()
    report = initialise(backbone, tmp_path / "weights.pth", tmp_path)
    own = backbone.state_dict()
    trunk = {key: value for key, value in state.items() if key in own}
    assert len(trunk) >= len(state) - 4  # all but the classifier
    assert all(torch.equal(own[key], value) for key, value in trunk.items())
    assert report == f"backbone: {len(trunk)} tensors from {tmp_path / 'weights.pth'}"


@pytest.mark.parametrize("dcn", [False, True])
def test_dla_from_a_file_older_than_bn_counters(dcn: bool, tmp_path: Path) -> None:
    torch.manual_seed(1)
    state = {k: v for k, v in Trunk().state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "dla34.pth")
    backbone = DLA(dcn=dcn)
    initialise(backbone, tmp_path / "dla34.pth", tmp_path)
    own = backbone.base.state_dict()
    assert all(torch.equal(own[key], value) for key, value in state.items())


def test_downloads_into_the_folder_once(server: tuple[Path, str], backbone: ResNet) -> None:
    served, address = server
    state = classifier_file(served / "new.pth")
    digest = hashlib.sha256((served / "new.pth").read_bytes()).hexdigest()[:8]
    name = f"resnet18-{digest}.pth"
    (served / "new.pth").rename(served / name)
    backbone.pretrained = replace(backbone.pretrained, url=f"{address}/{name}")
    folder = served.parent / "models"
    initialise(backbone, "imagenet", folder)
    assert torch.equal(backbone.conv1.weight, state["conv1.weight"])
    assert [path.name for path in folder.iterdir()] == [name]
    (served / name).unlink()
    assert "tensors from" in initialise(backbone, "imagenet", folder)


def test_a_changed_file_is_refused(server: tuple[Path, str], backbone: ResNet) -> None:
    served, address = server
    classifier_file(served / "resnet18-00000000.pth")
    backbone.pretrained = replace(backbone.pretrained, url=f"{address}/resnet18-00000000.pth")
    with pytest.raises(UserError, match="invalid hash"):
        initialise(backbone, "imagenet", served.parent / "models")
    assert list((served.parent / "models").iterdir()) == []
    assert untouched(backbone)


@pytest.mark.parametrize("dead", ["missing", "closed"])
def test_failed_download_says_what_to_do(
    dead: str, server: tuple[Path, str], backbone: ResNet
) -> None:
    served, address = server
    if dead == "closed":
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    url = f"{address}/resnet18-0123abcd.pth"
    backbone.pretrained = replace(backbone.pretrained, url=url)
    folder = served.parent / "models"
    with pytest.raises(UserError) as error:
        initialise(backbone, "imagenet", folder)
    message = str(error.value)
    assert "\n" not in message
    for part in (url, str(folder / "resnet18-0123abcd.pth"), "--weights none"):
        assert part in message
    assert list(folder.iterdir()) == []


def test_mirrors_are_tried_in_turn_and_named(
    server: tuple[Path, str], backbone: ResNet, tmp_path: Path
) -> None:
    served, address = server
    folder = served.parent / "models"
    dead = f"{address}/resnet18-0123abcd.pth"
    mirror = Remote("copy.pth", f"{address}/copy.pth")
    other = Remote("other.pth", f"{address}/other.pth")
    backbone.pretrained = replace(backbone.pretrained, url=dead, mirrors=(mirror, other))
    with pytest.raises(UserError) as error:
        initialise(backbone, "imagenet", folder)
    assert str(error.value).endswith(f"(also tried: {mirror.url}, {other.url})")
    assert dead in str(error.value)
    classifier_file(served / "other.pth")
    assert initialise(backbone, "imagenet", folder).endswith(f"from {folder / 'other.pth'}")
    assert initialise(backbone, "imagenet", folder, offline=True).endswith("other.pth")


def test_dla_takes_the_copy_without_what_nothing_uses(tmp_path: Path) -> None:
    torch.manual_seed(1)
    state = {k: v for k, v in Trunk().state_dict().items() if not k.startswith(SPARE)}
    assert len(state) < len(Trunk().state_dict())
    torch.save(state, tmp_path / "dla34.in1k.bin")
    for backbone in (DLA(dcn=True), create_backbone("dla34+fpn")):
        assert initialise(backbone, "imagenet", tmp_path, offline=True).endswith("dla34.in1k.bin")
    del state["level3.tree1.tree1.conv1.weight"]
    torch.save(state, tmp_path / "dla34.in1k.bin")
    with pytest.raises(UserError, match=r"level3\.tree1\.tree1\.conv1\.weight is missing"):
        initialise(backbone, "imagenet", tmp_path, offline=True)


def test_safetensors(tmp_path: Path, backbone: ResNet) -> None:
    save_file = pytest.importorskip("safetensors.torch").save_file
    state = classifier_file(tmp_path / "a.pth")
    save_file(state, tmp_path / "a.safetensors")
    initialise(backbone, tmp_path / "a.safetensors", tmp_path)
    assert torch.equal(backbone.conv1.weight, state["conv1.weight"])
    assert read_checkpoint(tmp_path / "a.safetensors").weights.keys() == state.keys()
    (tmp_path / "b.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-9])
    with pytest.raises(UserError, match=r"b\.safetensors: cannot be read as safetensors"):
        initialise(backbone, tmp_path / "b.safetensors", tmp_path)


@pytest.mark.parametrize("name", ["convnext_atto", "dla34"])
def test_timms_weights_have_an_address_at_the_hub(name: str) -> None:
    pytest.importorskip("timm")
    published = create_trunk(f"timm:{name}").pretrained
    assert published is not None
    remotes = (classifier(published), *published.mirrors)
    assert all(remote.name.startswith(name) for remote in remotes)
    assert any(f"/timm/{name}." in remote.url for remote in remotes)
    assert remotes[0].digest or remotes[0].name.endswith(".safetensors")


def test_constructors_and_none_never_download(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    with torch.device("meta"):
        for name in BACKBONES:
            create_backbone(name)
    assert initialise(create_backbone("res_18"), "none", tmp_path) == "backbone: random weights"
    assert list(tmp_path.iterdir()) == []


def test_hourglass_has_none(tmp_path: Path) -> None:
    backbone = Hourglass(stacks=1, dims=(8, 8), modules=(1, 1))
    assert "no ImageNet weights" in initialise(backbone, "imagenet", tmp_path)
    with pytest.raises(UserError, match="--load_model"):
        initialise(backbone, tmp_path / "any.pth", tmp_path)


def test_another_depth_is_refused(tmp_path: Path, backbone: ResNet) -> None:
    classifier_file(tmp_path / "resnet34.pth", "resnet34")
    with pytest.raises(UserError, match=r"another architecture.*layer\d\.\d.*differences"):
        initialise(backbone, tmp_path / "resnet34.pth", tmp_path)
    assert untouched(backbone)


def test_another_width_is_refused(tmp_path: Path, backbone: ResNet) -> None:
    state = classifier_file(tmp_path / "a.pth")
    torch.save(state | {"conv1.weight": torch.zeros(32, 3, 7, 7)}, tmp_path / "b.pth")
    with pytest.raises(UserError, match=r"conv1.weight is \(32, 3, 7, 7\), not \(64, 3, 7, 7\)"):
        initialise(backbone, tmp_path / "b.pth", tmp_path)
    assert untouched(backbone)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"<html>moved</html>", "cannot be read"),
        ({"epoch": 3, "state_dict": {}}, "not an ImageNet classifier"),
        ([torch.zeros(1)], "not an ImageNet classifier"),
    ],
)
def test_files_that_are_no_classifier(
    content: object, message: str, tmp_path: Path, backbone: ResNet
) -> None:
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(UserError, match=message) as error:
        initialise(backbone, path, tmp_path)
    assert str(path) in str(error.value)


def test_missing_path(tmp_path: Path, backbone: ResNet) -> None:
    with pytest.raises(UserError, match="no such file; --weights takes 'imagenet', 'none'"):
        initialise(backbone, tmp_path / "absent.pth", tmp_path)
