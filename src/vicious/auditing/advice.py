"""What a user can do after an audit, and how to read it: plain sentences for its page."""

from vicious.auditing.audit import Audit
from vicious.auditing.markup import percent
from vicious.auditing.verdict import FEW, leaks
from vicious.defense.excess import FEWEST, MOST, OF_A_LABEL, PER_LABEL

_SENT = {
    "probabilities": "all probabilities",
    "top3": "the three largest probabilities",
    "top1": "the largest probability",
    "round1": "probabilities rounded to 0 or 1",
    "noise1": "probabilities with strong noise (standard deviation 1)",
    "label": "the predicted label",
}
_SENT_OF_ATTRIBUTES = {"top3": "the three surest attributes, others as 0 or 1", "top1": "the surest, others as 0 or 1"}
_REFERENCES = "Audit models that you know to be honest on the same images, and give these audits as references."


def sent(name: str, multilabel: bool) -> str:
    """What a mitigation sends, in words; one without words has its name."""
    return (_SENT_OF_ATTRIBUTES if multilabel else {}).get(name) or _SENT.get(name, name)


def what_to_do(audit: Audit) -> tuple[str, ...]:
    """What to do now, the most urgent first."""
    match audit.verdict.answer:
        case "evidence":
            return (
                "Do not deploy this model, and send no outputs of private images, until somebody can explain the leak.",
                f"If you must use it, send only {_least(audit)}. Change the outputs on your own device.",
                "Ask the provider for the training code, the loss and the data, so that training can be repeated. "
                "Ask what the outputs are needed for beyond the label.",
                "Ask for a model that gives the label alone, or train one yourself on the same task. Audit that one, "
                "too.",
                "Audit again with other images of the same kind. A real leak shows again.",
            )
        case "no evidence" if leaks(audit.exact) and audit.excess.more_than_some:
            return (
                f"Take care: the model leaks more than some honest students. Send only {_least(audit)}.",
                _more_images(len(audit.given.evidence.images)),
                "Ask the provider how the model was built and trained. An honest model that learnt little of what to "
                "ignore may lie here, and so may one that hides what it gives away.",
                _REFERENCES,
            )
        case "no evidence":
            return (
                "You may use the model as far as this question goes. This is no proof that it is safe.",
                f"Send as little as the task needs all the same: for instance {_least(audit)}.",
                _more_images(len(audit.given.evidence.images)),
                "Audit each new version of the model: the verdict is about this one.",
                "Use images like those that you will send. The verdict says nothing about others.",
            )
        case _:
            return (
                f"Until this is settled, send only {_least(audit)}.",
                *_to_compare(audit),
                _REFERENCES,
            )


def _to_compare(audit: Audit) -> tuple[str, ...]:
    """What students need."""
    labels = (
        "Attributes count where the model predicts them for some images and not for others: add images of both."
        if audit.given.evidence.multilabel
        else f"Add images that the model puts into different classes: {OF_A_LABEL} or more of a second one, and "
        f"{PER_LABEL} or more of each on average. Stored outputs must be in the order of the images."
    )
    return (
        f"There was no comparison with honest students, since {audit.excess.why_not}.",
        f"Give at least {FEWEST} images, better {FEW} or more. None should be there twice.",
        labels,
    )


def _more_images(images: int) -> str:
    if images < FEW:
        return f"Audit again with {FEW} images or more: these were {images}, and more show weaker leaks."
    if images < MOST:
        return f"Audit again with more images if you have them, up to {MOST}: intervals become narrower."
    return f"Audit again with {MOST} other images: it should give the same answer."


def _least(audit: Audit) -> str:
    """What to send instead, with what it would leak."""
    found = {one.sent: one.leak for one in audit.left}
    words = [
        f"{sent(name, audit.given.evidence.multilabel)} ({percent(found[name])} would leak)"
        for name in ("label", "top1")
        if name in found
    ]
    return " or ".join(words) or sent("label", False)


HOW_TO_READ = (
    ("Leak", "share of the images' variation in outline, beyond the predicted label, that a simple method "
     "(kernel ridge regression) reads from the outputs. 0%: nothing beyond the label. Finer detail is not looked at."),
    ("Honest models leak, too", "how sure a classifier is depends on the image. So a leak above 0% is no evidence of "
     "anything. The question is whether there is more of it than in honest models."),
    ("Honest students", "small models that were made during the audit. They learnt the audited model's labels from "
     "your images, and nothing else. They saw fewer images than the audited model did, so they are a reference and no "
     "copy of it."),
    ("Interval", "95% bootstrap interval over images. It does not hold what another set of students, or other kinds of "
     "images, would give."),
    ("No proof of safety", "a decoder that learnt from more images may read more than is shown here. A code that looks "
     "like noise to all who lack its key cannot be seen at all."),
    ("No proof of intent", "evidence means that outputs give away more than those of honest students. It does not say "
     "why. An unusual architecture or training may be the reason."),
    ("Other ways to leak", "the audit looks at outputs for single images. It does not look at training data, weights, "
     "timing, or what else a program sends."),
)  # fmt: skip
"""Terms and limits, each with its explanation."""
