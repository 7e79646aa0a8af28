/** What the service answers to a path, from the API's own description; for the type checker alone. */
import type { components, paths } from "latcast-api";

type Pattern<Path extends string> = Path extends `${infer Before}{${string}}${infer After}`
  ? `${Before}${string}${Pattern<After>}`
  : Path;
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Json<Operation> = Operation extends { responses: infer Responses }
  ? { [Status in keyof Responses]: Responses[Status] extends { content: { "application/json": infer Body } }
      ? (Status extends 200 | 201 | 202 ? Body : never) : never }[keyof Responses]
  : never;
type Of<Path extends string, Method extends string> = {
  [Known in keyof paths & string]: Same<`/v1/${Path}`, Pattern<Known>> extends true
    ? (paths[Known] extends { [M in Method]: infer Operation } ? Json<Operation> : never)
    : never;
}[keyof paths & string];

/** The JSON that `GET` of a path below `/v1/` answers; `never` where there is no such call. */
export type Got<Path extends string> = Of<Path, "get">;
/** The JSON that `POST` answers. */
export type Posted<Path extends string> = Of<Path, "post">;
/** A schema of the API by its name. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];
