import { discount } from "./discount.js";
import { total } from "./till.js";

// One line that a customer can read.
export function receipt(prices) {
  return `${prices.length} pieces, ${total(prices) - discount(prices)} cents`;
}
