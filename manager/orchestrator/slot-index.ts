// Which tasks stand in which slot of a service, so that a report about one task costs one slot and not the service. Fed like the node set: the same task may
// come twice. The key of a slot is its number, or the node of a service with a task per node; the caller says which.

interface Place {
  readonly serviceId: string;
  readonly key: string;
}

export class SlotIndex {
  /** service id → slot key → task ids */
  readonly #services: Map<string, Map<string, readonly string[]>> = new Map();
  readonly #places: Map<string, Place> = new Map();

  /** A task as it is now. */
  set(taskId: string, serviceId: string, key: string): void {
    const before = this.#places.get(taskId);
    if (before && before.serviceId === serviceId && before.key === key) return;
    this.delete(taskId);
    this.#places.set(taskId, { serviceId, key });
    const slots = this.#services.get(serviceId) ?? new Map<string, readonly string[]>();
    this.#services.set(serviceId, slots);
    slots.set(key, [...(slots.get(key) ?? []), taskId]);
  }

  delete(taskId: string): void {
    const place = this.#places.get(taskId);
    if (!place) return;
    this.#places.delete(taskId);
    const slots = this.#services.get(place.serviceId);
    const left = (slots?.get(place.key) ?? []).filter((id) => id !== taskId);
    if (left.length > 0) slots?.set(place.key, left);
    else slots?.delete(place.key);
    if (slots?.size === 0) this.#services.delete(place.serviceId);
  }

  /** Key of the slot that a task is, or was last, known to stand in. */
  keyOf(taskId: string): string | undefined {
    return this.#places.get(taskId)?.key;
  }

  tasksIn(serviceId: string, key: string): readonly string[] {
    return this.#services.get(serviceId)?.get(key) ?? [];
  }
}
