"""The two-stream model: a CNN on frames beside a CNN on stacks of optical flow, their softmax averaged.

Simonyan and Zisserman, "Two-Stream Convolutional Networks for Action Recognition in Videos" (NeurIPS 2014). What is
done as there, and what is not:

- The motion stream sees a stack of L = 10 flow fields, x and y of each field interleaved: 2 L = 20 channels, which is
  how "20 frames of flow" of the study that this harness puts into software is read (section III-E: "we pass 20 frames
  randomly sampled from the pre-computed stack of optical flow images"): ten pairs of an x and a y image.
- A test clip gives 25 frames, evenly spaced from the first to the last, and 25 stacks, whose first fields are evenly
  spaced likewise; where a clip has fewer, it gives all it has. The class probabilities (softmax) are averaged. A clip
  of at most L frames repeats its last field; one of a single frame has no motion and is refused. The original also
  averages over four corner crops and mirror images; here only the central crop is seen.
- Frames are scaled so that the central crop of 7/8 of the shorter side has 224 pixels (as 224 of 256 there), for both
  streams. Flow is computed after coding and decoding, on the frames so cropped and scaled (`flow_size`): its unit is a
  pixel of theirs, also where the motion stream sees it at another size (`motion_size`). From each field the camera's
  movement is subtracted, by default the median (there the mean).
- A training clip gives one random frame and one random stack. Both come from one random window of the frames, in its
  size within -20 and +10 % of the test crop (there: a corner or random crop), mirrored half of the time where `flip`
  is set. They are cut out of flow that was computed on the whole frames, its values scaled with them and its x negated
  in the mirror. The brightness and contrast of the frame (not of what flow is computed from) are changed by up to 30 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar, cast

import harness
from harness.errors import HarnessError, WeightsError
from harness.model import Memo, Model, Precision, Weights
from harness.options import Option, Value
from harness_tasks.action.flow import Flow, kept_fields, less_camera, why_missing, why_not_kept
from harness_tasks.action.models.two_stream_options import OPTIONS
from harness_tasks.action.sampling import (
    Window,
    central_window,
    cut_out,
    mirrored_fields,
    random_window,
    relit,
    resized,
    spread,
    stacked_pairs,
)
from harness_tasks.action.types import ClipScores
from harness_tasks.images import channels_first
from harness_tasks.opencv import opencv_version

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from harness.codec import Frames
    from harness.dataset import Outline
    from harness_tasks.action.models.two_stream_network import TwoStream

__all__ = ["TwoStreamModel"]


class TwoStreamModel(Model):
    """Two streams on clips; each is a part that can be trained by itself.

    A prepared sample is a dict of `spatial` (uint8[S, 3, h, w], RGB) and `motion` (int8[M, 2 L, h', w'], flow in units
    of `bound` / 127 pixels); a batch has B of them in a further first dimension. A training batch has `spatial`
    (uint8[B, 3, h, w]), `motion` (int8[B, 2 L, h', w']) and `label` (int64[B]).
    """

    name = "two-stream"
    summary = "two-stream network: a CNN on frames, a CNN on stacks of optical flow"
    options: ClassVar[tuple[Option, ...]] = OPTIONS
    task: ClassVar[str] = "action"
    parts: ClassVar[tuple[str, ...]] = ("spatial", "motion")
    default_batch: ClassVar[Mapping[str, int]] = {"cpu": 1, "cuda": 8, "mps": 2}
    trainable: ClassVar[bool] = True

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._network: TwoStream | None = None
        self._device = "cpu"
        self._precision: Precision = "fp32"

    @property
    def flow(self) -> Flow:
        """How flow is computed."""
        return Flow(*(self.option(name) for name in ("flow", "preset", "camera", "bound")))

    def fingerprint(self) -> Mapping[str, Value]:
        return {"torch": version("torch"), "torchvision": version("torchvision"), "opencv": opencv_version()}

    def identity_config(self) -> Mapping[str, Value]:
        return {name: value for name, value in self.config.items() if name != "keep_flow"}  # decides time alone

    def available(self) -> str | None:
        return why_missing(self.option("flow"))

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        spatial = self._window(outline.height, outline.width, "size").shape
        motion = self._window(outline.height, outline.width, "motion_size").shape
        starts = spread(outline.frames - self.option("length"), self.option("stacks"))
        frames = spread(outline.frames, self.option("samples"))
        return (len(frames), 3, *spatial, len(starts), 2 * self.option("length"), *motion)

    def prepare(self, frames: Frames, scored: tuple[int, ...], memo: Memo) -> dict[str, torch.Tensor]:
        """Evenly spaced frames and stacks of a clip, cropped and scaled.

        Raises:
            HarnessError: a clip of one frame, or one with more than one target.
        """
        import numpy as np
        import torch

        if len(scored) != 1:
            raise HarnessError(f"a clip has one action; frames {', '.join(map(str, scored))} are to be scored")
        count, height, width, _ = frames.shape
        _check_moves(count)
        window = self._window(height, width, "size")
        chosen = np.stack([resized(frames[i], window) for i in spread(count, self.option("samples"))])
        stacks = stacked_pairs(
            count, self.option("length"), spread(count - self.option("length"), self.option("stacks"))
        )
        pairs = sorted(set(stacks.ravel().tolist()))
        window, flow = self._window(height, width, "flow_size"), self.flow
        shape = self._window(height, width, "motion_size").shape
        fields = memo(flow.name(window, pairs, shape), lambda: flow.fields(frames, pairs, window, shape))
        motion = fields[np.searchsorted(pairs, stacks)].reshape(len(stacks), -1, *shape)
        return {"spatial": channels_first(chosen), "motion": torch.from_numpy(np.ascontiguousarray(motion))}

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        import torch

        from harness.weights import load_into

        names = weights.classes or classes
        state = self._read(weights)
        found = self._outputs(state, weights)
        if found != len(names):
            origin = "its file names" if weights.classes else "the dataset has"
            raise WeightsError(
                f"weights {weights.path} were trained on {found} classes, {origin} {len(names)}. Give weights for "
                'these classes, or name the weights\' own in a file beside them (NAME.json: {"classes": [...]}).'
            )
        network = self._make(found)
        load_into(network, state, f"weights {weights.path}")
        network.eval().to(device).to(memory_format=torch.channels_last)
        self._network, self.classes = network, names
        self._device, self._precision = device, precision

    def predict(self, batch: Mapping[str, torch.Tensor]) -> list[list[ClipScores]]:
        spatial, motion = (self._probabilities(part, batch[part]) for part in self.parts)
        return [[ClipScores(frame, stack)] for frame, stack in zip(spatial, motion, strict=True)]

    def _probabilities(self, part: str, inputs: torch.Tensor) -> NDArray[np.float32]:
        """The softmax of one stream, averaged over each clip's samples: float32[B, C]."""
        import torch

        count, samples = inputs.shape[:2]
        flat = inputs.to(self._device, non_blocking=True).flatten(0, 1)
        with (
            torch.no_grad(),
            torch.autocast(torch.device(self._device).type, torch.bfloat16, enabled=self._precision == "bf16"),
        ):
            logits = self.network(part, flat)
        mean: NDArray[np.float32] = logits.float().softmax(1).view(count, samples, -1).mean(1).cpu().numpy()
        return mean

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        """New streams, or those of a file.

        Args:
            classes: of the dataset.
            initial: weights of this model for as many classes; or of another one whose backbone is taken
                (`TwoStream.start_from`): torchvision's own ImageNet weights, or for `backbone=small` any model with
                the small front, such as the demo's pose model.

        Raises:
            WeightsError: they are of no such kind, or for another number of classes.
        """
        from harness.weights import load_into

        network = self._make(len(classes))
        if initial is not None:
            state = self._read(initial)
            if not network.start_from(state, self.option("backbone")):
                found = self._outputs(state, initial)
                if found != len(classes):
                    raise WeightsError(
                        f"weights {initial.path} were trained on {found} classes, the dataset has {len(classes)}. "
                        "Training can start from weights for as many classes, from a backbone's own, or from none."
                    )
                load_into(network, state, f"weights {initial.path}")
        self._network, self.classes = network, classes
        return network

    @property
    def network(self) -> TwoStream:
        return cast("TwoStream", super().network)

    def parameters(self, part: str) -> list[torch.nn.Parameter]:
        return [parameter for parameter in self.network.get_submodule(part).parameters() if parameter.requires_grad]

    def prepare_train(
        self, frames: Frames, targets: Mapping[int, int], rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        import torch

        count = len(frames)
        _check_moves(count)
        starts = spread(count - self.option("length"), count)
        pairs = stacked_pairs(count, self.option("length"), [starts[int(rng.integers(len(starts)))]])[0].tolist()
        number = int(rng.integers(count))
        height, width = frames.shape[1:3]
        central = self._window(height, width, "size")
        window = random_window(central, height, width, rng)
        image = relit(resized(frames[number], window), rng)
        fields = self._whole_fields(frames, pairs)
        rows, columns = fields.shape[2] / height, fields.shape[3] / width
        part = window.part(rows, columns)
        motion = cut_out(fields, part, self._window(height, width, "motion_size").shape, central.height / window.height)
        if self.option("crop"):  # as at the test, where flow is computed on the part that is seen
            motion = less_camera(motion, self.option("camera"))
        if self.option("flip") and rng.random() < 0.5:
            image, motion = image[:, ::-1], mirrored_fields(motion)
        return {
            "spatial": channels_first(image),
            "motion": torch.from_numpy(motion.reshape(-1, *motion.shape[2:])),
            "label": torch.tensor(targets[min(targets)], dtype=torch.int64),
        }

    def losses(self, batch: Mapping[str, torch.Tensor], part: str) -> Mapping[str, torch.Tensor]:
        from torch.nn import functional

        return {"cross-entropy": functional.cross_entropy(self.network(part, batch[part]).float(), batch["label"])}

    def problems(self) -> list[str]:
        problem = why_not_kept() if self.option("keep_flow") else None
        return [problem] if problem else []

    def _whole_fields(self, frames: Frames, pairs: list[int]) -> NDArray[np.int8]:
        """The flow of whole frames of a training clip, int8[P, 2, h, w]; kept where `keep_flow` is set."""
        import numpy as np

        height, width = frames.shape[1:3]
        window, shape = (central_window(height, width, self.option(size), 0) for size in ("flow_size", "motion_size"))
        if self.option("keep_flow"):
            every = range(len(frames) - 1)
            return kept_fields(frames, self.flow, every, window, shape.shape)[pairs]
        unlike = sorted(set(pairs))
        return self.flow.fields(frames, unlike, window, shape.shape)[np.searchsorted(unlike, pairs)]

    def _make(self, classes: int) -> TwoStream:
        from harness_tasks.action.models.two_stream_network import TwoStream

        return TwoStream(self.option("backbone"), classes, self.option("length"))

    def _read(self, weights: Weights) -> dict[str, torch.Tensor]:
        from harness.weights import load_state

        if weights.path is None:
            raise WeightsError(f"model {self.name}: weights {weights.name} are no file.")
        return load_state(weights.path)

    def _outputs(self, state: Mapping[str, torch.Tensor], weights: Weights) -> int:
        """How many classes a two-stream state dict is for.

        Raises:
            WeightsError: it is none of this backbone.
        """
        from harness_tasks.action.models.two_stream_network import head_outputs

        backbone = self.option("backbone")
        found = head_outputs(state, backbone)
        if found is None:
            names = ", ".join(list(state)[:3])
            raise WeightsError(
                f"weights {weights.path} are none of a two-stream model with backbone {backbone}: they hold {names}, "
                "... Name their backbone (backbone=...), or train (`harness train --task action`): training can start "
                "from a backbone's own weights."
            )
        return found

    def _window(self, height: int, width: int, size: str) -> Window:
        """What is seen of a test clip's frames, at the size that an option says."""
        return central_window(height, width, self.option(size), self.option("crop"))


def _check_moves(frames: int) -> None:
    if frames < 2:
        raise HarnessError("a clip of one frame has no motion: a two-stream model needs at least two frames")


@harness.hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [TwoStreamModel]
