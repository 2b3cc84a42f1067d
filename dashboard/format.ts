// Times, sizes and names as people read them. Pure; "now" comes from outside.

const UNITS: readonly (readonly [seconds: number, name: string])[] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
];

/** "5 min"; '' for a time that is not known. */
export function age(time: string, nowMs: number): string {
  const thenMs = Date.parse(time);
  if (Number.isNaN(thenMs)) return '';
  const seconds = Math.max(0, Math.round((nowMs - thenMs) / 1000));
  const unit = UNITS.find(([size]) => seconds >= size);
  return unit ? `${Math.floor(seconds / unit[0])} ${unit[1]}` : `${seconds} s`;
}

/** 3 → "3 tasks", 1 → "1 task". */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 || noun === 'more' ? '' : 's'}`;
}

/** Binary sizes: "1.9 GiB". */
export function size(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let step = 0;
  while (value >= 1024 && step < names.length - 1) {
    value /= 1024;
    step++;
  }
  const digits = value >= 100 || step === 0 ? 0 : 1;
  return `${value.toFixed(digits)} ${names[step]}`;
}

/** 1.5e9 → "1.5". */
export function cpus(nano: number): string {
  return String(Math.round(nano / 1e7) / 100);
}

/** An image's name without its digest. */
export function imageName(image: string): string {
  return image.replace(/@sha256:.*$/, '');
}

/** The digest's first 12 digits; '' when the image is not pinned. */
export function imageDigest(image: string): string {
  return /@sha256:([0-9a-f]{12})/.exec(image)?.[1] ?? '';
}

/** "8080→80/tcp" */
export function portText(port: {
  readonly published: number;
  readonly target: number;
  readonly protocol: string;
}): string {
  return `${port.published === 0 ? '' : `${port.published}→`}${port.target}/${port.protocol}`;
}
