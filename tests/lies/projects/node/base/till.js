// A till. Prices are in cents.

// What a customer pays.
export function total(prices) {
  return prices.reduce((sum, price) => sum + price, 0);
}

// The mean price; 0 where there is none.
export function average(prices) {
  return Math.floor(total(prices) / prices.length);
}
