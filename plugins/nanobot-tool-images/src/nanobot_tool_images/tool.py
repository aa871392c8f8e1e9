"""The tool ``generate_image``: asks the configured vendor, and keeps what it makes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nanobot import errors
from nanobot.context import Extension, PluginContext
from nanobot.errors import NanobotError, ToolError
from nanobot.messages import File, ToolResult, Turn
from nanobot.tool import ToolRequest
from nanobot_egress import Egress

from nanobot_tool_images.album import load, save
from nanobot_tool_images.allowance import Allowance
from nanobot_tool_images.config import RATIO, SIZE, ImagesConfig, distribution, entry_name
from nanobot_tool_images.definitions import GENERATE_IMAGE, MAX_REFERENCES
from nanobot_tool_images.pictures import MAX_BYTES, decode, picture
from nanobot_tool_images.specs import ImageSpec
from nanobot_tool_images.vendor import ImageVendor, PictureRequest

AT_ONCE = 4
MAX_PROMPT = 32_000
DOWNLOAD_S = 120.0

_KINDS: Mapping[type[NanobotError], str] = {
    errors.AuthError: "not_configured",
    errors.ConfigError: "not_configured",
    errors.PluginError: "not_configured",
    errors.QuotaError: "quota",
    errors.RateLimitError: "rate_limited",
    errors.ProviderTimeout: "timeout",
    errors.ContentFiltered: "content_policy",
    errors.MalformedAnswer: "bad_answer",
    errors.BadRequest: "bad_request",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """The arguments of one call, checked."""

    prompt: str
    references: tuple[str, ...]
    aspect_ratio: str
    size: str
    count: int

    @classmethod
    def of(cls, given: Mapping[str, object], config: ImagesConfig) -> Order:
        """Read a call's arguments; a `ToolError` says what is wrong with them."""
        return cls(
            prompt=_prompt(given),
            references=_paths(given.get("reference_images")),
            aspect_ratio=_word(given, "aspect_ratio", RATIO, config.default_aspect_ratio),
            size=_word(given, "image_size", SIZE, config.default_image_size),
            count=_count(given.get("count")),
        )


class ImageTool:
    """Implements `nanobot.tool.Tool`.

    Args:
        config: The section ``tools.imageGeneration``.
        context: Knows the vendors and the time.
        egress: Fetches the links that vendors return.
    """

    def __init__(self, config: ImagesConfig, context: PluginContext, egress: Egress) -> None:
        self._config = config
        self._context = context
        self._egress = egress
        self._allowance = Allowance(config.max_images_per_turn)

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Make pictures; those that were made are kept though others failed."""
        if request.name != GENERATE_IMAGE.name:
            return ToolResult.error("unknown_tool", f"there is no tool '{request.name}' here")
        order = Order.of(request.arguments, self._config)
        vendor, spec = self._vendor()
        model = self._config.model or spec.default_model
        if not model:
            raise ToolError(
                f"{spec.title} has no usual model; set tools.imageGeneration.model.",
                kind="not_configured",
            )
        if len(order.references) > spec.max_references:
            raise ToolError(_too_many(spec), kind="bad_argument")
        references = await asyncio.to_thread(load, order.references, turn)
        wanted = PictureRequest(
            prompt=order.prompt,
            model=model,
            aspect_ratio=order.aspect_ratio,
            size=order.size,
            references=references,
        )
        self._allowance.take(turn.id, order.count)
        made: list[File] = []
        try:
            async with vendor.open() as opened:
                failures = await self._make(opened, wanted, turn, order.count, made)
        except NanobotError as error:
            raise _told(error) from None
        finally:
            self._allowance.give_back(turn.id, order.count - len(made))
        if not made:
            raise _told(failures[0])
        return ToolResult.ok(_report(made, failures, f"{spec.name}, model {model}"), *made)

    def _vendor(self) -> tuple[Extension, ImageSpec]:
        """Return the vendor that the configuration names."""
        name = entry_name(self._config.provider)
        vendors = self._context.extensions("images")
        if name not in vendors:
            known = ", ".join(sorted(vendors)) or "none"
            raise ToolError(
                f"No usable vendor of pictures is called {name} (usable: {known}). "
                f"pip install {distribution(name)}, or set tools.imageGeneration.provider.",
                kind="not_configured",
            )
        spec = vendors[name].spec
        assert isinstance(spec, ImageSpec)
        return vendors[name], spec

    async def _make(
        self,
        vendor: ImageVendor,
        wanted: PictureRequest,
        turn: Turn,
        count: int,
        made: list[File],
    ) -> list[NanobotError]:
        """Make pictures at the same time, add them to `made`, and return what went wrong."""
        turns = asyncio.Semaphore(AT_ONCE)
        failures: list[NanobotError] = []

        async def one() -> None:
            async with turns:
                try:
                    answers = await vendor.generate(wanted)
                    data = await self._bytes(answers[0])
                    image = await asyncio.to_thread(picture, data)
                    made.append(
                        await asyncio.to_thread(
                            save, image, turn, self._config.save_dir, self._about(wanted)
                        )
                    )
                except NanobotError as error:
                    failures.append(error)

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(one())
        return failures

    async def _bytes(self, answer: str) -> bytes:
        """Return the bytes of a picture as a vendor sent it."""
        if not answer.startswith(("http://", "https://")):
            return await asyncio.to_thread(decode, answer)
        fetched = await self._egress.fetch(answer, max_bytes=MAX_BYTES, deadline_s=DOWNLOAD_S)
        if not 200 <= fetched.status < 300:
            raise ToolError(
                f"The picture that the vendor made can not be fetched (HTTP {fetched.status}).",
                kind="bad_answer",
                retryable=True,
            )
        if fetched.truncated:
            raise ToolError(
                f"The vendor made a picture larger than {MAX_BYTES // 2**20} MiB.", kind="too_large"
            )
        return fetched.body

    def _about(self, wanted: PictureRequest) -> dict[str, object]:
        return {
            "prompt": wanted.prompt,
            "provider": self._config.provider,
            "model": wanted.model,
            "aspectRatio": wanted.aspect_ratio,
            "imageSize": wanted.size,
            "sourceImages": [image.name for image in wanted.references],
            "createdAt": self._context.clock.now().isoformat(),
        }


def _told(error: NanobotError) -> ToolError:
    """Return an error as the model reads it."""
    if isinstance(error, ToolError):
        return error
    kind = next((kind for cls, kind in _KINDS.items() if isinstance(error, cls)), "unavailable")
    retryable = isinstance(error, errors.ProviderError) and error.retryable
    return ToolError(str(error), kind=kind, retryable=retryable)


def _report(made: list[File], failures: list[NanobotError], by: str) -> str:
    pictures = "picture" if len(made) == 1 else "pictures"
    lines = [
        f"Made {len(made)} {pictures} with {by}.",
        "To change one, call generate_image again with its path in reference_images.",
    ]
    if failures:
        lines.append(f"{len(failures)} more could not be made: {failures[0].message}")
    return "\n".join(lines)


def _too_many(spec: ImageSpec) -> str:
    if not spec.max_references:
        return f"{spec.title or spec.name} can not change pictures; leave reference_images out."
    return f"{spec.title or spec.name} takes at most {spec.max_references} reference_images."


def _prompt(given: Mapping[str, object]) -> str:
    prompt = given.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise ToolError("'prompt' is required: say what the picture shows.", kind="bad_argument")
    if len(prompt) > MAX_PROMPT:
        raise ToolError(
            f"'prompt' is longer than {MAX_PROMPT} characters; shorten it.", kind="bad_argument"
        )
    return prompt.strip()


def _paths(given: object) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list | tuple) or len(given) > MAX_REFERENCES:
        raise ToolError(
            f"'reference_images' must be a list of at most {MAX_REFERENCES} paths.",
            kind="bad_argument",
        )
    return tuple(str(path) for path in given)


def _word(given: Mapping[str, object], name: str, pattern: str, default: str) -> str:
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or not re.search(pattern, value):
        example = "16:9" if pattern == RATIO else "1K, 2K or 1024x1536"
        raise ToolError(f"'{name}' must be written like {example}.", kind="bad_argument")
    return value


def _count(given: object) -> int:
    if given is None:
        return 1
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= 8:
        raise ToolError("'count' must be a whole number from 1 to 8.", kind="bad_argument")
    return given


@asynccontextmanager
async def open_tool(config: ImagesConfig, context: PluginContext) -> AsyncIterator[ImageTool]:
    """Open the tool; the vendor is opened when the first picture is wanted."""
    async with Egress(context.network) as egress:
        yield ImageTool(config, context, egress)
