"""Mean and factorised covariance for the risk."""

import logging
from typing import ClassVar

from pydantic import Field

from vicious.steps import Identity, PreparedData, Stage, Step, Written
from vicious.steps._needs import Cost, Need, Work, factorisation, factorisation_cost

log = logging.getLogger(__name__)


class FitCovariance(Step):
    """Mean and factorised covariance of a dataset's images, for the risk."""

    STAGE: ClassVar[Stage] = "data"
    GROUP: ClassVar[str | None] = "data"

    data: PreparedData
    out: Written = Field(description="safetensors to write")

    def need(self, work: Work) -> Need:
        return factorisation(work)

    def cost(self, work: Work) -> Cost:
        return factorisation_cost(work)

    def run(self, identity: Identity) -> None:
        from vicious.data.prepared import load_prepared
        from vicious.metrics.moments import fit
        from vicious.metrics.risk import save_covariance

        data = load_prepared(self.data)
        covariance = fit(data)
        if covariance.images <= covariance.mean.size:
            log.warning(
                "%s: %d images for %d pixels: the covariance is singular whatever the images are; read R with care",
                data.info.title,
                covariance.images,
                covariance.mean.size,
            )
        save_covariance(covariance, self.out, data.info.fingerprint)
