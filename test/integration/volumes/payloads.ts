/** For pods that have no volumes made from objects of the API. */
export function noPayloads(): never {
  throw new Error('no volume of this test needs it');
}
