"""What apps are made of: names of starlette, and JSON bodies read strictly.

Apps take them from here and not from starlette, so that the library has one owner, and need
nothing else for routes, answers, files and WebSockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from nanobot_documents import strict_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException as HTTPException
from starlette.requests import ClientDisconnect as ClientDisconnect
from starlette.requests import Request as Request
from starlette.responses import FileResponse as FileResponse
from starlette.responses import JSONResponse as JSONResponse
from starlette.responses import RedirectResponse as RedirectResponse
from starlette.responses import Response as Response
from starlette.responses import StreamingResponse as StreamingResponse
from starlette.routing import BaseRoute as BaseRoute
from starlette.routing import Mount as Mount
from starlette.routing import Route as Route
from starlette.routing import WebSocketRoute as WebSocketRoute
from starlette.staticfiles import StaticFiles as StaticFiles
from starlette.websockets import WebSocket as WebSocket
from starlette.websockets import WebSocketDisconnect as WebSocketDisconnect

from nanobot_service_http.answers import FAILED, Answer, failure
from nanobot_service_http.asgi import App


def application(*routes: BaseRoute) -> App:
    """Return an ASGI application of routes, whose paths are those below the mount.

    An `HTTPException` becomes an error in JSON. What else is raised becomes an answer that tells
    nothing, and is logged.
    """
    handlers: Any = {HTTPException: _explain, Exception: _hide}
    app: Any = Starlette(routes=routes, exception_handlers=handlers)
    return cast(App, app)


async def _explain(request: Request, error: HTTPException) -> Response:
    return _response(failure(error.status_code, error.detail), error.headers)


async def _hide(request: Request, error: Exception) -> Response:
    return _response(FAILED)


def _response(answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    kind = answer.content_type.decode("ascii")
    return Response(answer.body, answer.status, headers=headers, media_type=kind)


async def read_json(request: Request) -> Any:
    """Return the body of a request as a JSON value.

    Raises:
        HTTPException: It is not acceptable JSON, with the place where; the caller is told so.
    """
    try:
        return strict_json.loads(await request.body())
    except strict_json.JsonError as error:
        raise HTTPException(400, f"The body is not acceptable JSON: {error}.") from None
