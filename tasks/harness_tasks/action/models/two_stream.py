"""The two-stream model: one CNN on frames and one CNN on stacks of optical flow; their softmax outputs are averaged.

Simonyan and Zisserman, "Two-Stream Convolutional Networks for Action Recognition in Videos" (NeurIPS 2014). Details,
and differences from the paper:

- Flow stack: the motion stream sees a stack of L = 10 flow fields with x and y interleaved, which is 2 L = 20 channels.
  The study on which this harness is based writes "we pass 20 frames randomly sampled from the pre-computed stack of
  optical flow images" (section III-E). This is read as ten pairs of an x and a y image.
- Testing: a clip gives 25 frames, evenly spaced from the first to the last, and 25 stacks, whose first fields are
  evenly spaced in the same way; a shorter clip gives all it has. The class probabilities (softmax) are averaged. A clip
  of at most L frames repeats its last field. A clip of one frame has no motion and is an error. The paper also averages
  over four corner crops and mirrored images; here only the central crop is used.
- Size: frames are scaled so that the central crop of 7/8 of the shorter side has 224 pixels, for both streams (224 of
  256 in the paper). Flow is computed after encoding and decoding, on the frames cropped and scaled in this way
  (`flow_size`). The unit of flow is a pixel of these frames, even if the motion stream sees the flow at another size
  (`motion_size`). The camera's motion is subtracted from each field: by default the median, in the paper the mean.
- Training: a clip gives one random frame and one random stack, both from one random window of the frames. The window's
  size differs by -20 to +10 % from the test crop (in the paper: a corner or random crop). With the option `flip` it is
  mirrored with probability 0.5. Flow is computed on whole frames, and the window is cut out of it; the values are
  scaled with the window, and x changes its sign when mirrored. The brightness and contrast of the frame are changed by
  up to 30 %; those of the frames for the flow are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, cast

import harness
from harness.errors import HarnessError, WeightsError
from harness.model import PRECISIONS, Memo, Model, Precision, Weights, autocast
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
from harness_tasks.library import library_version
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
    """A two-stream model for clips. Each stream is a part that can be trained separately.

    A prepared sample is a dict of `spatial` (uint8[S, h, w, 3], RGB) and `motion` (int8[M, 2 L, h', w'], flow in units
    of `bound` / 127 pixels). A batch has an additional first dimension B. A training batch has `spatial`
    (uint8[B, 3, h, w]), `motion` (int8[B, 2 L, h', w']) and `label` (int64[B]).
    """

    name = "two-stream"
    summary = "two-stream network: a CNN on frames, a CNN on stacks of optical flow"
    options: ClassVar[tuple[Option, ...]] = OPTIONS
    task: ClassVar[str] = "action"
    parts: ClassVar[tuple[str, ...]] = ("spatial", "motion")
    trainable: ClassVar[bool] = True
    precisions: ClassVar[tuple[Precision, ...]] = PRECISIONS

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._network: TwoStream | None = None
        self._device = "cpu"
        self._precision: Precision = "fp32"

    @property
    def flow(self) -> Flow:
        """The settings of optical flow."""
        return Flow(*(self.option(name) for name in ("flow", "preset", "camera", "bound")))

    def fingerprint(self) -> Mapping[str, Value]:
        return {**{name: library_version(name) for name in ("torch", "torchvision")}, "opencv": opencv_version()}

    def identity_config(self) -> Mapping[str, Value]:
        return {
            name: value for name, value in self.config.items() if name != "keep_flow"
        }  # it only changes the running time

    def available(self) -> str | None:
        return why_missing(self.option("flow"))

    def prepared_shape(self, outline: Outline) -> tuple[int, ...]:
        spatial = self._window(outline.height, outline.width, "size").shape
        motion = self._window(outline.height, outline.width, "motion_size").shape
        starts = spread(outline.frames - self.option("length"), self.option("stacks"))
        frames = spread(outline.frames, self.option("samples"))
        return (len(frames), *spatial, 3, len(starts), 2 * self.option("length"), *motion)

    def prepare(self, frames: Frames, scored: tuple[int, ...], memo: Memo) -> dict[str, torch.Tensor]:
        """Return evenly spaced frames and flow stacks of a clip, cropped and scaled.

        Raises:
            HarnessError: the clip has only one frame, or more than one target.
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
        return {"spatial": torch.from_numpy(chosen), "motion": torch.from_numpy(np.ascontiguousarray(motion))}

    def load(self, weights: Weights, classes: tuple[str, ...], device: str, precision: Precision = "fp32") -> None:
        import torch

        from harness.weights import load_into

        names = weights.classes or classes
        state = self._read(weights)
        head_size = self._outputs(state, weights)
        if head_size != len(names):
            origin = "its file names" if weights.classes else "the dataset has"
            raise WeightsError(
                f"weights {weights.path} were trained on {head_size} classes, {origin} {len(names)}. Give weights for "
                'these classes, or name the weights\' own in a file beside them (NAME.json: {"classes": [...]}).'
            )
        network = self._make(head_size)
        load_into(network, state, f"weights {weights.path}")
        network.eval().to(device).to(memory_format=torch.channels_last)
        self._network, self.classes = network, names
        self._device, self._precision = device, precision

    def predict(self, batch: Mapping[str, torch.Tensor]) -> list[list[ClipScores]]:
        import torch

        inputs = (batch["spatial"].permute(0, 1, 4, 2, 3), batch["motion"])
        streams = [self._probabilities(part, given) for part, given in zip(self.parts, inputs, strict=True)]
        spatial, motion = torch.stack(streams).cpu().numpy()
        return [[ClipScores(frame, stack)] for frame, stack in zip(spatial, motion, strict=True)]

    def _probabilities(self, part: str, inputs: torch.Tensor) -> torch.Tensor:
        """Return the softmax of one stream, averaged over the frames or stacks of each clip: float32[B, C], on the
        device."""
        import torch

        count, samples = inputs.shape[:2]
        flat = inputs.to(self._device, non_blocking=True).flatten(0, 1)
        with torch.no_grad(), autocast(self._device, self._precision):
            logits = self.network(part, flat)
        mean: torch.Tensor = logits.float().softmax(1).view(count, samples, -1).mean(1)
        return mean

    def build(self, classes: tuple[str, ...], initial: Weights | None = None) -> torch.nn.Module:
        """Return new streams, initialised from weights if given.

        Args:
            classes: the dataset's classes.
            initial: weights of this model for the same number of classes, or weights of another model for the backbones
                (`TwoStream.start_from`): torchvision's own ImageNet weights, or with `backbone=small` any model that
                has the small front, such as the demo's pose model.

        Raises:
            WeightsError: the weights are of another kind, or for another number of classes.
        """
        from harness.weights import load_into

        network = self._make(len(classes))
        if initial is not None:
            state = self._read(initial)
            if not network.start_from(state, self.option("backbone")):
                head_size = self._outputs(state, initial)
                if head_size != len(classes):
                    raise WeightsError(
                        f"weights {initial.path} were trained on {head_size} classes, the dataset has {len(classes)}. "
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
        if self.option("crop"):  # as in testing, where flow is computed on the crop
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
        """Return the flow of a training clip's whole frames, int8[P, 2, h, w]; cached on disk with the option
        `keep_flow`."""
        import numpy as np

        height, width = frames.shape[1:3]
        window, shape = (central_window(height, width, self.option(size), 0) for size in ("flow_size", "motion_size"))
        if self.option("keep_flow"):
            all_pairs = range(len(frames) - 1)
            return kept_fields(frames, self.flow, all_pairs, window, shape.shape)[pairs]
        distinct = sorted(set(pairs))
        return self.flow.fields(frames, distinct, window, shape.shape)[np.searchsorted(distinct, pairs)]

    def _make(self, classes: int) -> TwoStream:
        from harness_tasks.action.models.two_stream_network import TwoStream

        return TwoStream(self.option("backbone"), classes, self.option("length"))

    def _read(self, weights: Weights) -> dict[str, torch.Tensor]:
        from harness.weights import load_state

        if weights.path is None:
            raise WeightsError(f"model {self.name}: weights {weights.name} are no file.")
        return load_state(weights)

    def _outputs(self, state: Mapping[str, torch.Tensor], weights: Weights) -> int:
        """Return the number of classes of a two-stream state dict.

        Raises:
            WeightsError: the state dict is not one with this backbone.
        """
        from harness_tasks.action.models.two_stream_network import head_outputs

        backbone = self.option("backbone")
        outputs = head_outputs(state, backbone)
        if outputs is None:
            names = ", ".join(list(state)[:3])
            raise WeightsError(
                f"weights {weights.path} are none of a two-stream model with backbone {backbone}: they hold {names}, "
                "... Name their backbone (backbone=...), or train (`harness train --task action`): training can start "
                "from a backbone's own weights."
            )
        return outputs

    def _window(self, height: int, width: int, size: str) -> Window:
        """Return the window of a test clip's frames, scaled to the size of the named option."""
        return central_window(height, width, self.option(size), self.option("crop"))


def _check_moves(frames: int) -> None:
    """Check that a clip has at least two frames."""
    if frames < 2:
        raise HarnessError("a clip of one frame has no motion: a two-stream model needs at least two frames")


@harness.hookimpl
def harness_models() -> Iterable[type[Model]]:
    return [TwoStreamModel]
