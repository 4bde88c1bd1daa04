from till import total


def test_a_refund_counts():
    assert total([-30]) == -30
