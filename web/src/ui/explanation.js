/** Why a network takes its time on a target, as the service explains it. */
import { useEffect, useState } from "../html.js";
import { askAnew, generation, post } from "../api.js";

/**
 * The newest question's answer; what was asked for before may be answered later, and is let go.
 * @param {string|null} asked what is asked for; null for nothing @param {() => Promise<any>} ask
 * @returns {{data?: any, error?: any, again: () => void}}
 */
export function useAnswer(asked, ask) {
  const [state, setState] = useState(/** @type {any} */ ({}));
  const seen = generation.value;
  useEffect(() => {
    if (asked === null) return undefined;
    let wanted = true;
    ask().then((data) => wanted && setState({ asked, data }), (error) => wanted && setState({ asked, error }));
    return () => { wanted = false; };
  }, [asked, seen]);
  return { ...(state.asked === asked ? state : {}), again: askAnew };
}

/** @param {string|undefined} target @param {string} hash @param {number} nearest how many measured networks that are alike */
export function useExplanation(target, hash, nearest = 0) {
  return useAnswer(target ? `${target} ${hash}` : null, () => post(`targets/${target}/explain?nearest=${nearest}`, { graph: hash }));
}
