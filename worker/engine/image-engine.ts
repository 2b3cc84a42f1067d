// The Engine API's image calls: what the images offer, and building.
import type { ImageEngine } from '#protocol/engine';
import type { Builder, ImageApi } from '../images/types.ts';

/** Both as one ImageEngine. */
export function imageEngine(api: ImageApi, builder: Builder): ImageEngine {
  return {
    list: (options) => api.list(options),
    inspect: (ref) => api.inspect(ref),
    history: (ref) => api.history(ref),
    pull: (ref, options, signal) => api.pull(ref, options, signal),
    push: (ref, options, signal) => api.push(ref, options, signal),
    load: (tar, options) => api.load(tar, options),
    save: (refs) => api.save(refs),
    importTar: (tar, options) => api.importTar(tar, options),
    tag: (ref, target) => api.tag(ref, target),
    remove: (ref, options) => api.remove(ref, options),
    prune: (filters) => api.prune(filters),
    commit: (options) => api.commit(options),
    distribution: (ref, auth) => api.distribution(ref, auth),
    build: (context, options, signal) => builder.build(context, options, signal),
    pruneBuilds: (filters) => builder.pruneCache(filters),
  };
}
