// A till. Prices are in cents.

import { total } from "./money.js";

export { total };

// The mean price; 0 where there is none.
export function average(prices) {
  return Math.floor(total(prices) / prices.length);
}
