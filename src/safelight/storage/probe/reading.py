"""Read an object by presigned requests, as browsers do with links."""

from http import HTTPStatus

from safelight.storage.probe.calls import ProbeCalls
from safelight.storage.probe.report import CheckOutcome


class ReadChecks(ProbeCalls):
    """The checks `read`, `head` and `range` of an object that exists."""

    async def _check_read(self) -> None:
        response = await self._open_link()
        if not response.is_success:
            await self._fail(response, "read objects", "s3:GetObject")
        if response.body != self._body:
            self._add(
                "read",
                CheckOutcome.FAILURE,
                "The store returned other bytes than were written.",
                response,
            )
        else:
            self._add("read")
        head = await self._open_link("HEAD")
        length = head.headers.get("content-length", "")
        if not head.is_success or length != str(len(self._body)):
            message = f"HEAD of an object of {len(self._body)} bytes answers {head.status}"
            self._add(
                "head",
                CheckOutcome.FAILURE,
                f"{message}, Content-Length {length or 'missing'}.",
                head,
            )
        else:
            self._add("head")

    async def _check_range(self) -> None:
        response = await self._open_link(headers={"range": "bytes=2-5"})
        if response.body == self._body[2:6]:
            is_partial = response.status == HTTPStatus.PARTIAL_CONTENT
            message = "" if is_partial else f"The store answers Range with {response.status}."
            self._add("range", CheckOutcome.OK if is_partial else CheckOutcome.NOTE, message)
        else:
            self._add("range", CheckOutcome.NOTE, "The store ignores Range.")
