"""Find out what a store can do beyond what every start needs: for reports about a store.

The checks, in order: `damaged bytes`, `signed body`, `bulk delete`, `multipart`, `upload list`,
`upload prefixes`. A feature that is missing is a note: Safelight does without it.
"""

import base64
import hashlib
import secrets
from typing import Final
from xml.etree import ElementTree as ET

import httpx

from safelight import keys
from safelight.storage.probe.calls import CheckFailed, ProbeCalls
from safelight.storage.probe.report import CheckOutcome, ProbeReport
from safelight.storage.s3_api import APIResponse

_OTHER: Final = b"damaged"


class FeatureProbe(ProbeCalls):
    """Checks a bucket that `StoreProbe` has found to work."""

    async def run(self) -> ProbeReport:
        """Run all checks; nothing stays in the bucket."""
        async with self._api:
            try:
                await self._check_checksum()
                await self._check_signed_body()
                await self._check_bulk_delete()
                await self._check_multipart()
            except CheckFailed:
                pass
        return ProbeReport(results=self._results, features=self._features)

    async def _check_checksum(self) -> None:
        """Write bytes with the checksum of others."""
        digest = base64.b64encode(hashlib.sha256(_OTHER).digest()).decode()
        response = await self._request(
            "PUT", key=self._key, body=self._body, headers={"x-amz-checksum-sha256": digest}
        )
        await self._note_refusal("damaged bytes", response)

    async def _check_signed_body(self) -> None:
        """Write other bytes than those that were signed."""
        signed = self._api.sign("PUT", {}, key=self._key, body=self._body, headers={})
        changed = httpx.Request("PUT", signed.url, headers=signed.headers, content=self._body[::-1])
        await self._note_refusal("signed body", await self._send(self._api.send(changed)))

    async def _note_refusal(self, check: str, response: APIResponse) -> None:
        """Record whether a write was refused, as it should be."""
        if response.is_success:
            self._add(check, CheckOutcome.NOTE, "The store accepts bytes that don't match.")
            await self._request("DELETE", key=self._key)
        else:
            self._add(check)

    async def _check_bulk_delete(self) -> None:
        names = [f"{self._key}-{number}" for number in range(2)]
        for name in names:
            await self._request("PUT", key=name, body=self._body, headers={})
        root = ET.Element("Delete", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
        for name in names:
            ET.SubElement(ET.SubElement(root, "Object"), "Key").text = name
        response = await self._request("POST", {"delete": ""}, body=ET.tostring(root))
        answer = _parse(response)
        deleted = (
            set()
            if answer is None
            else {each.text for each in answer.iterfind(".//{*}Deleted/{*}Key")}
        )
        if set(names) <= deleted:
            self._add("bulk delete")
        else:
            message = "The response to a bulk delete can't be used."
            self._add("bulk delete", CheckOutcome.NOTE, message, response)
        for name in names:
            await self._request("DELETE", key=name)

    async def _check_multipart(self) -> None:
        """Start, list, send and complete an upload in one part, as clients do."""
        key = keys.incoming(secrets.token_hex(16))
        started = await self._request(
            "POST", {"uploads": ""}, key=key, headers={"content-type": "image/jpeg"}
        )
        document = _parse(started)
        upload_id = document.findtext("{*}UploadId") if document is not None else None
        if not upload_id:
            message = "The store can't start a multipart upload."
            self._add("multipart", CheckOutcome.FAILURE, message, started)
            return
        await self._check_upload_list(key, upload_id)
        query = {"uploadId": upload_id}
        part = await self._request(
            "PUT", {"partNumber": "1", **query}, key=key, body=self._body, headers={}
        )
        root = ET.Element("CompleteMultipartUpload")
        element = ET.SubElement(root, "Part")
        ET.SubElement(element, "PartNumber").text = "1"
        ET.SubElement(element, "ETag").text = part.headers.get("etag", "")
        completed = await self._request("POST", query, key=key, body=ET.tostring(root))
        stored = await self._request("GET", key=key)
        if completed.is_success and stored.body == self._body:
            self._add("multipart")
        else:
            message = "The store can't complete a multipart upload."
            self._add("multipart", CheckOutcome.FAILURE, message, completed)
            await self._request("DELETE", query, key=key)
        await self._request("DELETE", key=key)

    async def _check_upload_list(self, key: str, upload_id: str) -> None:
        async def lists(prefix: str) -> APIResponse | None:
            """Return a list without the upload; None if it has it."""
            query = {"uploads": ""} | ({"prefix": prefix} if prefix else {})
            response = await self._request("GET", query)
            listing = _parse(response)
            found = () if listing is None else listing.iterfind("{*}Upload/{*}UploadId")
            return None if upload_id in {each.text for each in found} else response

        if missing := await lists(key):
            message = "The store doesn't list unfinished uploads."
            self._add("upload list", CheckOutcome.NOTE, message, missing)
        else:
            self._add("upload list")
        if missing := await lists(keys.INCOMING):
            message = "The store doesn't list unfinished uploads by prefix."
            self._add("upload prefixes", CheckOutcome.NOTE, message, missing)
        else:
            self._add("upload prefixes")


def _parse(response: APIResponse) -> ET.Element | None:
    """Return a successful response's document; None if there is none."""
    try:
        return ET.fromstring(response.body) if response.is_success else None  # noqa: S314  see storage/multipart.py
    except ET.ParseError:
        return None
