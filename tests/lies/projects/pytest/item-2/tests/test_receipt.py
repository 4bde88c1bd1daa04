from receipt import receipt


def test_the_receipt_takes_the_discount_off():
    assert receipt([100, 100, 100]) == "3 pieces, 270 cents"


def test_the_receipt_of_two_pieces():
    assert receipt([100, 100]) == "2 pieces, 200 cents"
