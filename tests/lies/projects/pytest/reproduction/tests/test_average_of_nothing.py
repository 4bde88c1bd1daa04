from till import average


def test_the_average_of_nothing_is_0():
    assert average([]) == 0
