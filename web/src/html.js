/** Templates and hooks, from one place. */
import { h } from "preact";
import htm from "htm";

export { Fragment, h, render } from "preact";
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export { computed, effect, signal, useComputed, useSignal } from "@preact/signals";
export const html = htm.bind(h);
