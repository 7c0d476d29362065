"""Who a bearer token belongs to, asked of the API server (authentication.k8s.io/v1 TokenReview)."""

from __future__ import annotations

import lightkube
from lightkube.models.authentication_v1 import TokenReviewSpec
from lightkube.resources.authentication_v1 import TokenReview

from autowasm.kube import faults


async def user_of(client: lightkube.AsyncClient, token: str, audience: str) -> str | None:
    """The user name that the token proves for this audience; None where it proves nothing.

    Raises:
        errors.Retry, errors.Final: side "cluster"; the question itself failed.
    """
    review = TokenReview(spec=TokenReviewSpec(token=token, audiences=[audience]))
    with faults.of("review of a token"):
        status = (await client.create(review)).status
    if status is None or not status.authenticated or audience not in (status.audiences or []):
        return None
    return status.user.username if status.user is not None else None
