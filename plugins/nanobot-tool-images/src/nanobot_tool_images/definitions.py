"""What models see of the tool, as data."""

from __future__ import annotations

from nanobot.messages import Effect, Effects, Role
from nanobot.specs import ToolDefinition

from nanobot_tool_images.config import RATIO, SIZE

MAX_REFERENCES = 8

GENERATE_IMAGE = ToolDefinition(
    name="generate_image",
    description=(
        "Make pictures from a description, or change earlier ones: name their files in "
        "reference_images and say in the prompt what to change. The pictures are saved in the "
        "workspace; each costs money, so make no more than were asked for."
    ),
    parameters={
        "type": "object",
        "properties": {
            "prompt": {
                "type": "string",
                "description": "What the picture shows: subject, style, light, text in it.",
            },
            "reference_images": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": MAX_REFERENCES,
                "description": "Paths of pictures in the workspace to change or to follow.",
            },
            "aspect_ratio": {
                "type": "string",
                "pattern": RATIO,
                "description": "Width to height, such as 16:9; a vendor may know only some.",
            },
            "image_size": {
                "type": "string",
                "pattern": SIZE,
                "description": "512, 1K, 2K, 4K, or pixels such as 1024x1536.",
            },
            "count": {
                "type": "integer",
                "minimum": 1,
                "maximum": 8,
                "description": "How many variants to make; 1 unless more were asked for.",
            },
        },
        "required": ["prompt"],
        "additionalProperties": False,
    },
    effects=Effects(touches=frozenset({Effect.NET, Effect.SPEND, Effect.FS_READ, Effect.FS_WRITE})),
    deadline_s=900.0,
    role=Role.USER,
)
