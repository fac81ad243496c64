"""Every table and figure of the study: its title, its experiment, and what it is made from. The command line and the
workflow read this list; each product is written by the module of its name.
"""

from dataclasses import dataclass

from vicious.study.grid import Experiment


@dataclass(frozen=True)
class Product:
    """One table or figure.

    Attributes:
        title: for help texts and messages.
        experiment: whose results it shows.
        inputs: what its writer takes, each a command-line option: "summary", "comparisons", "estimators", "agreement",
            "classes", "attributes", "detection", "separation", "called" (one CSV each); "assessments" (the JSON of every cell; tables of
            single images and galleries lie beside), "curves" (the CSV of every training; records lie beside); "verdicts" (the provenance of every
            judged model, which holds the time that each verdict took).
    """

    title: str
    experiment: Experiment
    inputs: tuple[str, ...]


INPUTS = {
    "summary": "CSV written by summarize",
    "comparisons": "CSV written by compare",
    "estimators": "CSV written by agree",
    "agreement": "CSV written by agree",
    "classes": "CSV written by per-class",
    "attributes": "CSV written by per-class",
    "detection": "CSV of scores written by summarize-defense",
    "separation": "CSV of separations written by summarize-defense",
    "called": "CSV of thresholds' calls written by summarize-defense",
    "verdicts": "provenance written by evaluate-defense",
    "assessments": "JSON summaries written by assess-risk",
    "curves": "training curves written by train-*",
}
"""What each input is, for the command line's help."""

SEVERAL = ("assessments", "curves", "verdicts")
"""Inputs that are lists of files."""

PRODUCTS: dict[str, Product] = {
    "table1": Product("honest against vicious", "main", ("summary", "comparisons")),
    "table2": Product("the weight of the reconstruction loss", "tradeoff", ("summary", "comparisons")),
    "table3": Product("CelebA's attribute sets", "attribute_sets", ("summary", "comparisons")),
    "table4": Product("numbers of classes", "class_counts", ("summary", "comparisons")),
    "table5": Product("estimators of the risk", "main", ("estimators", "agreement", "summary")),
    "table6": Product("classes at most and least risk", "main", ("classes",)),
    "table7": Product("accuracy of CelebA's attributes", "main", ("attributes",)),
    "table8": Product("what the original's shortcuts change", "main", ("assessments",)),
    "table9": Product("how well each detector separates", "defense", ("summary", "separation", "verdicts")),
    "table10": Product("thresholds from honest models alone", "defense", ("summary", "called")),
    "table11": Product("servers that know of detectors", "defense", ("summary", "detection")),
    "table12": Product("what a user can do to the outputs", "mitigations", ("summary",)),
    "figure1": Product("gallery of all datasets", "main", ("assessments",)),
    "figure2": Product("accuracy against risk", "main", ("summary",)),
    "figure3": Product("detector scores", "defense", ("summary", "detection")),
    "figure4": Product("gallery of each dataset and kind of outputs", "main", ("assessments",)),
    "figure5": Product("trade-off curves", "tradeoff", ("summary",)),
    "figure6": Product("CelebA against the number of attributes", "attribute_sets", ("summary",)),
    "figure7": Product("against the number of classes", "class_counts", ("summary",)),
    "figure8": Product("profile of the risk against the variance kept", "main", ("estimators", "summary")),
    "figure9": Product("how estimators agree with PSNR and SSIM", "main", ("agreement", "summary")),
    "figure10": Product("distributions of the risk over images", "main", ("assessments",)),
    "figure11": Product("training curves", "main", ("curves",)),
    "figure12": Product("images at most and least risk", "main", ("assessments",)),
    "figure13": Product("ROC curves of the detectors", "defense", ("summary", "detection")),
    "figure14": Product("what it costs a server to go undetected", "defense", ("summary", "detection")),
    "figure15": Product("accuracy against reconstruction under mitigations", "mitigations", ("summary",)),
    "figure16": Product("score distributions of every detector", "defense", ("summary", "detection")),
}
