from discount import discount


def test_three_pieces_are_cheaper():
    assert discount([100, 100, 100]) == 30


def test_two_pieces_are_not():
    assert discount([100, 100]) == 0
