"""Photos in a Django app: run ``python examples/django_app.py``.

All in one file; in yours, the library is in a module of its own, next to the settings. It starts
with the first request of each worker. Django's own tables can be in another database.
"""

import os
import sys

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from safelight import Caption, Photo, SafelightError, Settings, SyncLibrary

if not settings.configured:
    settings.configure(
        DEBUG=True,
        SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", "only-for-this-example"),
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["localhost", "127.0.0.1", "testserver"],
        MIDDLEWARE=[f"{__name__}.answer_errors"],
    )
    django.setup()

library = SyncLibrary.from_settings(Settings())


def answer_errors(get_response):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Answer the library's errors with their status and code; their text is fit for users."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    def process_exception(_request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, SafelightError):
            return None
        return JsonResponse({"code": error.code, "message": str(error)}, status=error.status)

    middleware.process_exception = process_exception  # type: ignore[attr-defined]
    return middleware


def current_user_id(request: HttpRequest) -> str:
    """Return the user of the request; yours is ``str(request.user.pk)``, behind a login."""
    return str(request.headers.get("X-User", "ada"))


@csrf_exempt  # This example has no pages; keep Django's protection in yours.
@require_http_methods(["GET", "POST"])
def photos(request: HttpRequest) -> HttpResponse:
    """List the newest photos, or add the one in the form field ``photo``."""
    owner = current_user_id(request)
    if request.method == "GET":
        page = library.list_photos(owner, limit=20)
        return JsonResponse([to_json(photo) for photo in page.photos], safe=False)
    file = request.FILES["photo"]
    caption = Caption(title=request.POST.get("title", ""), filename=file.name)
    added = library.add(owner, file.file, caption)
    return JsonResponse(to_json(added.photo), status=201 if added.created else 200)


@csrf_exempt
@require_http_methods(["GET", "DELETE"])
def photo(request: HttpRequest, id_: int) -> HttpResponse:
    """Redirect to a photo by an expiring link, or delete it."""
    owner = current_user_id(request)
    if request.method == "GET":
        return HttpResponseRedirect(library.link(library.photo(owner, id_)).url)
    library.delete(owner, id_)
    return HttpResponse(status=204)


def to_json(photo: Photo) -> dict[str, str | int]:
    """Return what the app's clients see of a photo."""
    return {"id": photo.id, "title": photo.title, "url": library.link(photo).url}


urlpatterns = [path("photos", photos), path("photos/<int:id_>", photo)]

if __name__ == "__main__":
    execute_from_command_line([sys.argv[0], "runserver", "8003", "--noreload"])
