"""What the calls have in common: whose a request is, and how a photo is answered."""

from fastapi import Request, Response

from safelight.library import Library
from safelight.photo import Photo
from safelight.web.endpoints import link_endpoint
from safelight.web.views import Views

PRIVATE = {"Cache-Control": "private, no-cache"}


def owner_of(request: Request) -> str:
    """Tell whose photos a request is about, as the router's dependency found out."""
    owner: str = request.state.safelight_owner
    return owner


class PhotoAnswers:
    """Answers with photos, their links signed for whoever asks."""

    def __init__(self, library: Library, views: Views) -> None:
        self._library = library
        self._views = views

    def shown(
        self, request: Request, photo: Photo, *, status: int = 200, **headers: str
    ) -> Response:
        """Answer with one photo."""
        endpoint = link_endpoint(request, self._library)
        body = self._views.photo(photo, endpoint=endpoint, now=self._library.now())
        return Response(
            body,
            status_code=status,
            media_type="application/json",
            headers={**PRIVATE, **headers},
        )
