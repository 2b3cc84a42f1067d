// What a flag of `container run`, `create` and `update` is, and the usual ways in which one sets something in the Engine API's body: a text, a list, a switch,
// a number, bytes, key=value pairs, a rate per device, a duration. The flags themselves are in create-flags.ts and limit-flags.ts.
import {
  bytes,
  duration,
  integer,
  invalidFlag,
  type JsonObject,
  labels,
} from '../service/values.ts';

/** The parts of POST /containers/create. */
export interface Body {
  /** Container's own part, at the top of the body. */
  readonly config: JsonObject;
  readonly host: JsonObject;
  readonly health: JsonObject;
  /** Of the first network. */
  readonly endpoint: JsonObject;
}

export interface Flag {
  /** As commander takes it. */
  readonly flags: string;
  readonly help: string;
  readonly isMany?: boolean;
  /** Also of `container update`. */
  readonly isUpdate?: boolean;
  /** `values`: one unless the flag may be repeated; none for a switch. */
  readonly set: (body: Body, values: readonly string[], flag: string) => void;
}

type Set = Flag['set'];

export const text =
  (part: keyof Body, key: string): Set =>
  (body, [value = '']) => {
    body[part][key] = value;
  };
export const many =
  (part: keyof Body, key: string): Set =>
  (body, values) => {
    body[part][key] = values;
  };
export const on =
  (part: keyof Body, key: string): Set =>
  (body) => {
    body[part][key] = true;
  };
export const size =
  (key: string): Set =>
  ({ host }, [value = ''], flag) => {
    host[key] = value === '-1' ? -1 : bytes(flag, value);
  };
export const whole =
  (part: keyof Body, key: string, min = 0): Set =>
  (body, [value = ''], flag) => {
    body[part][key] = integer(flag, value, min);
  };
export const pairs =
  (part: keyof Body, key: string): Set =>
  (body, values) => {
    body[part][key] = { ...(body[part][key] as object | undefined), ...labels(values) };
  };
export const rates =
  (key: string): Set =>
  ({ host }, values, flag) => {
    host[key] = values.map((value) => {
      const at = value.lastIndexOf(':');
      if (at < 1) throw invalidFlag(flag, `"${value}" has no limit`, 'Write it like /dev/sda:1mb.');
      const limit = value.slice(at + 1);
      const isBytes = flag.endsWith('bps');
      return {
        Path: value.slice(0, at),
        Rate: isBytes ? bytes(flag, limit) : integer(flag, limit),
      };
    });
  };
export const wait =
  (key: string): Set =>
  ({ health }, [value = ''], flag) => {
    health[key] = duration(flag, value);
  };
