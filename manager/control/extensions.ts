// A stock Docker client that updates an object sends back only the fields that it knows, and so
// drops ours. An update that comes through the Engine API therefore keeps the extension fields
// (number 100 and up) of the old object wherever the new one has nothing there; only /tswarm/v1
// takes one away. Works on the field tables, so a new extension needs no line here.
import type { FieldInfo, MessageType } from '#protocol/codec';

type Message = Record<string, unknown>;

/** Field numbers from here on are tswarm's. */
const EXTENSION_FIRST = 100;

/** What makes two elements of a list the same thing, where that is not their place in the list. */
const ELEMENT_KEYS: Readonly<Record<string, readonly string[]>> = {
  NetworkAttachmentConfig: ['target'],
  Mount: ['target'],
  PortConfig: ['targetPort', 'protocol', 'publishedPort'],
};

/** Extension → the field beside it that it says more of: kept only while that one is the same. */
const BELONGS_TO: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ContainerSpec: { imageId: 'image' },
};

/** `next` with the extension fields of `previous` where it has none itself. */
export function keepExtensions<T>(type: MessageType<T>, next: T, previous: T): T {
  const [a, b] = [next as Message, previous as Message];
  const changed: Message = {};
  for (const field of type.fields) {
    const value = a[field.name];
    const old = b[field.name];
    if (field.id >= EXTENSION_FIRST) {
      const owner = BELONGS_TO[type.name]?.[field.name];
      const isStale = owner !== undefined && a[owner] !== b[owner];
      if (isEmpty(value) && !isStale) changed[field.name] = old;
    } else if (field.message && value !== undefined && old !== undefined) {
      changed[field.name] = keepInside(field, field.message(), value, old);
    }
  }
  return { ...next, ...changed };
}

function keepInside(
  field: FieldInfo,
  type: MessageType<unknown>,
  value: unknown,
  old: unknown,
): unknown {
  if (field.shape === 'map') return value;
  if (field.shape !== 'repeated') return keepExtensions(type, value, old);
  const keys = ELEMENT_KEYS[type.name];
  if (!keys) return value;
  const keyOf = (element: unknown): string =>
    JSON.stringify(keys.map((key) => (element as Message)[key]));
  const before = new Map((old as readonly unknown[]).map((element) => [keyOf(element), element]));
  return (value as readonly unknown[]).map((element) => {
    const match = before.get(keyOf(element));
    return match === undefined ? element : keepExtensions(type, element, match);
  });
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
