// Pulls an image to the node that serves this page, and says how far it is.
import { lines } from './session.ts';

interface Line {
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
}

/** @throws Error with what the registry says */
export async function pullImage(image: string, say: (text: string) => void): Promise<void> {
  if (image === '') throw new Error('An image needs a name.');
  // Without a tag all tags would be pulled.
  const isTagged = /@|:[^/]*$/.test(image);
  const query = new URLSearchParams({ fromImage: isTagged ? image : `${image}:latest` });
  const { signal } = new AbortController();
  const { rows } = await lines<Line>(`/images/create?${query}`, signal, 'POST');
  const layers = new Map<string, { readonly current: number; readonly total: number }>();
  for await (const { status = '', id, progressDetail, error } of rows) {
    if (error !== undefined) throw new Error(error);
    const { current = 0, total = 0 } = progressDetail ?? {};
    if (id !== undefined && total > 0) layers.set(id, { current, total });
    const sum = [...layers.values()].reduce(
      (all, one) => ({ current: all.current + one.current, total: all.total + one.total }),
      { current: 0, total: 0 },
    );
    const share = sum.total > 0 ? `, ${Math.floor((100 * sum.current) / sum.total)} %` : '';
    say(`Pulling ${image}: ${status}${share}`);
  }
}
