"""docs/accounting.md in plain fractions."""

from tests.accounting_example import Fractions, exact, read_steps, shown


def test_every_figure_of_the_page_is_what_fractions_give() -> None:
    steps = read_steps()
    assert len(steps) == 18
    state = Fractions()
    for step in steps:
        assert state.play(step) == step.expected, step.text


def test_a_gain_does_not_move_the_rate_and_an_uncovered_loss_does() -> None:
    rates = [step.expected.rate for step in read_steps()]
    texts = [step.text for step in read_steps()]
    gain, small, large = (texts.index(text) for text in ("report +1.1", "report -0.5", "report -12"))
    assert rates[gain] == rates[gain - 1]
    assert rates[small] == rates[small - 1]
    assert rates[large] < rates[large - 1]


def test_amounts_are_exact_both_ways() -> None:
    for text in ("1", "0.485", "159.664455445544554455", "1,000.5"):
        assert shown(exact(text)) == text
