"""Forty attributes of an imagined face, with rates near those of photographed celebrities and no contradictions."""

import numpy as np


def sample_attributes(rng: np.random.Generator) -> dict[str, bool]:
    """The attributes of one face, by name."""
    has: dict[str, bool] = {}

    def draw(name: str, rate: float) -> bool:
        has[name] = bool(rng.random() < rate)
        return has[name]

    male, young = draw("Male", 0.42), draw("Young", 0.78)
    draw("Pale_Skin", 0.06)
    draw("Blurry", 0.05)
    _sample_hair(has, draw(name="Bald", rate=0.06 if male else 0), rng)
    _sample_beard(has, rng)
    smiling = draw("Smiling", 0.48)
    draw("High_Cheekbones", 0.75 if smiling else 0.2)
    draw("Mouth_Slightly_Open", 0.7 if smiling else 0.28)
    chubby = draw("Chubby", 0.04 if young else 0.16)
    draw("Double_Chin", 0.5 if chubby else 0.02)
    draw("Oval_Face", 0 if chubby else 0.3)
    bags = draw("Bags_Under_Eyes", 0.15 if young else 0.4)
    draw("Narrow_Eyes", 0.13)
    draw("Big_Nose", 0.38 if male else 0.13)
    draw("Pointy_Nose", 0 if has["Big_Nose"] else 0.36)
    draw("Big_Lips", 0.18 if male else 0.3)
    draw("Bushy_Eyebrows", 0.26 if male else 0.07)
    draw("Arched_Eyebrows", 0.06 if male else 0.42)
    draw("Eyeglasses", 0.1 if male else 0.04)
    makeup = draw("Heavy_Makeup", 0 if male else 0.66)
    draw("Wearing_Lipstick", 0 if male else 0.95 if makeup else 0.5)
    draw("Rosy_Cheeks", 0.17 if makeup else 0.03)
    draw("Wearing_Earrings", 0.03 if male else 0.32)
    draw("Wearing_Necklace", 0.02 if male else 0.2)
    draw("Wearing_Necktie", 0.17 if male else 0)
    charm = 0.3 + 0.3 * young + 0.25 * makeup - 0.3 * bags - 0.25 * chubby - 0.15 * male
    draw("Attractive", float(np.clip(charm, 0.02, 0.95)))
    return has


def _sample_hair(has: dict[str, bool], bald: bool, rng: np.random.Generator) -> None:
    """Hat, colour, cut and hairline; a bald head has none of the last three."""
    male, young = has["Male"], has["Young"]
    has["Wearing_Hat"] = bool(not bald and rng.random() < 0.06)
    colours = ("Black_Hair", "Brown_Hair", "Blond_Hair", "Gray_Hair", "")
    rates = np.array([0.29, 0.24, 0.06 if male else 0.24, 0.01 if young else 0.2, 0.2])
    colour = colours[rng.choice(len(colours), p=rates / rates.sum())]
    has.update({name: name == colour and not bald for name in colours if name})
    cut = rng.random()
    has["Wavy_Hair"] = bool(not bald and cut < (0.14 if male else 0.45))
    has["Straight_Hair"] = bool(not bald and cut > 0.78)
    open_brow = not bald and not has["Wearing_Hat"]
    has["Bangs"] = bool(open_brow and rng.random() < (0.08 if male else 0.22))
    has["Receding_Hairline"] = bool(open_brow and not has["Bangs"] and rng.random() < (0.17 if male else 0.04))


def _sample_beard(has: dict[str, bool], rng: np.random.Generator) -> None:
    """No_Beard means clean-shaven: it excludes every kind of beard."""
    bearded = bool(has["Male"] and rng.random() < 0.42)
    has["No_Beard"] = not bearded
    kinds = {"5_o_Clock_Shadow": 0.45, "Goatee": 0.3, "Mustache": 0.3, "Sideburns": 0.3}
    for name, rate in kinds.items():
        has[name] = bool(bearded and rng.random() < rate)
