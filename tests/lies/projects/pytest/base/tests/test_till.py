from till import average, total


def test_the_total_adds_up():
    assert total([100, 250, 50]) == 400


def test_nothing_costs_nothing():
    assert total([]) == 0


def test_the_average():
    assert average([100, 200]) == 150
