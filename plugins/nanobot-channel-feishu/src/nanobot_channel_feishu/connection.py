"""The long connection: the SDK's client, run inside the loop that uses it.

The SDK's client answers an event before anybody could have stored it, keeps its tasks for ever
and asks for the address with a call that blocks. What it knows of the protocol is used here: the
handshake and its errors, the frames, their fragments, pings and pongs. What it does with an event
is replaced: the event is handed over, and answered when that has returned.

An event is answered with code 200; with code 500 the platform delivers it again, after 15 seconds,
5 minutes, 1 hour and 6 hours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from nanobot.log import Logger

from nanobot_channel_feishu.api import Endpoint
from nanobot_channel_feishu.faults import ApiError
from nanobot_channel_feishu.sdk import load

SDK = load()
_ws = SDK.client

_CONNECT_S = 30.0
_ANSWER_S = 30.0
_CLOSE_S = 2.0
_AT_ONCE = 32  # events in work; more wait in the connection

Deliver = Callable[[bytes], Awaitable[None]]


# `load` finds the client at run time: mypy can not see its class.
class Connection(_ws.Client):  # type: ignore[misc, name-defined]
    """One long connection, from its making to its end.

    Args:
        endpoint: Where to connect.
        deliver: Takes the JSON text of an event; the event is answered when it returns.
        log: For what goes wrong with single frames.
    """

    def __init__(self, endpoint: Endpoint, deliver: Deliver, log: Logger) -> None:
        # The id and the secret were used to ask for the endpoint. Nothing may be logged by the
        # SDK: it would print the address with its ticket.
        super().__init__("", "", log_level=_ws.LogLevel.CRITICAL, auto_reconnect=False)
        self._endpoint = endpoint
        self._ping_interval = endpoint.ping_s
        self._deliver = deliver
        self._log = log

    async def serve(self, ready: Callable[[], None]) -> None:
        """Connect, say so, and deliver events until the connection is lost or this is cancelled.

        Raises:
            ApiError: The platform refuses the connection, or it is lost.
        """
        tasks: set[asyncio.Task[Any]] = set()
        try:
            await self._open()
            ready()
            tasks.add(asyncio.create_task(self._ping_loop()))
            slots = asyncio.Semaphore(_AT_ONCE)
            while True:
                await slots.acquire()
                task = asyncio.create_task(self._handle_message(await self._receive()))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                task.add_done_callback(lambda _: slots.release())
        finally:
            cron = self._cache._cron  # the SDK never ends it
            for task in (*tasks, cron):
                task.cancel()
            await asyncio.gather(*tasks, cron, return_exceptions=True)
            await self._shut()

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(_CONNECT_S):
                await self._connect()
        except (_ws.ClientException, _ws.ServerException) as error:
            raise ApiError(error.code, f"the long connection is refused: {error}") from None
        except TimeoutError:
            raise ApiError(0, "the long connection was not made in time") from None
        except Exception as error:
            name = type(error).__name__  # its text may hold the address
            raise ApiError(0, f"the long connection can not be made ({name})") from None

    async def _receive(self) -> bytes:
        try:
            data = await self._conn.recv()
        except Exception as error:
            raise ApiError(0, f"the long connection is lost ({type(error).__name__})") from None
        return data if isinstance(data, bytes) else data.encode()

    async def _shut(self) -> None:
        connection = self._conn
        with suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                await self._disconnect()
            return
        if connection is not None:
            connection.transport.abort()

    # --- in place of the SDK's own ---------------------------------------------------------------

    def _get_conn_url(self) -> str:
        return self._endpoint.url

    async def _receive_message_loop(self) -> None:
        """Do nothing: `serve` receives."""

    async def _handle_message(self, data: bytes) -> None:
        try:
            frame = _ws.Frame()
            frame.ParseFromString(data)
            if frame.method == _ws.FrameType.CONTROL.value:
                await self._handle_control_frame(frame)
            elif frame.method == _ws.FrameType.DATA.value:
                await self._handle_data_frame(frame)
        except Exception as error:
            self._log.warning("feishu_frame_failed", reason=f"{type(error).__name__}: {error}")

    async def _handle_data_frame(self, frame: Any) -> None:
        headers = {header.key: header.value for header in frame.headers}
        payload = frame.payload
        if int(headers.get(_ws.HEADER_SUM) or 1) > 1:
            message, count = headers[_ws.HEADER_MESSAGE_ID], int(headers[_ws.HEADER_SUM])
            payload = self._combine(message, count, int(headers[_ws.HEADER_SEQ]), payload)
        if payload is None or headers.get(_ws.HEADER_TYPE) != _ws.MessageType.EVENT.value:
            return
        began, code = monotonic(), 200
        try:
            await self._deliver(payload)
        except Exception as error:
            code = 500
            self._log.warning("feishu_event_not_taken", reason=str(error))
        took = frame.headers.add()
        took.key, took.value = _ws.HEADER_BIZ_RT, str(round((monotonic() - began) * 1000))
        frame.payload = json.dumps({"code": code}).encode()
        async with asyncio.timeout(_ANSWER_S):
            await self._write_message(frame.SerializeToString())
