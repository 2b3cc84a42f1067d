// Events about containers, with the attributes that the Engine API gives them: labels, image, name, and what the action adds.
import type { Container } from './container.ts';
import type { RuntimeDeps } from './deps.ts';

export function emitContainer(
  deps: Pick<RuntimeDeps, 'events'>,
  container: Container,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
): void {
  const { record } = container;
  deps.events.emit({
    type: 'container',
    action,
    actorId: container.id,
    attributes: { ...record.config.Labels, ...attributes, image: record.image, name: record.name },
  });
}
