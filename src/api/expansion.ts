/**
 * `$(NAME)` becomes the value, `$$` becomes `$` (so `$$(NAME)` stays as `$(NAME)`), and a name that is not known stays as
 * it is written (third_party/forked/golang/expansion). PURE.
 */
export function expand(
  text: string,
  values: Pick<ReadonlyMap<string, string>, 'get'>,
  missing: (whole: string, name: string) => string = (whole) => whole,
): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, first: string, name: string) =>
    first === '$' ? '$' : (values.get(name) ?? missing(whole, name)),
  );
}
