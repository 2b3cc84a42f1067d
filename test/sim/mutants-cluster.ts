// Planted bugs above Raft: store, certificates, membership, dispatcher, orchestrators.
import type { Mutant } from './mutants.ts';

const STORE = 'manager/store';
const DISPATCHER = 'manager/dispatcher';
const ORCHESTRATOR = 'manager/orchestrator';

export const CLUSTER_MUTANTS: readonly Mutant[] = [
  {
    name: 'replicas take the spec of an updated task from its service',
    source: 'swarmkit: diverging stores',
    file: `${STORE}/apply.ts`,
    find: 'action.kind === StoreActionKind.UPDATE',
    replace: 'action.kind < StoreActionKind.UPDATE',
  },
  {
    name: 'a change is applied on a state that it was not made on',
    source: 'manager/DESIGN.md, chain of transactions',
    file: `${STORE}/store.ts`,
    find: 'if (entry.parent !== this.#committed.lastTransaction) {',
    replace: 'if (entry.parent < 0) {',
  },
  {
    name: 'what hangs on changes in flight is answered before they are committed',
    source: 'found by this simulator',
    file: 'manager/host/replicated-store.ts',
    find: 'if (this.store.pendingCount > 0) return isAccepted(this.#newest);',
    replace: 'if (this.store.pendingCount > 0) return true;',
  },
  {
    name: 'a refusal counts although what it hangs on may be lost',
    source: 'found by this simulator',
    file: 'manager/host/replicated-store.ts',
    find: "if (!(await this.#stands(options, term))) return undefined;\n      if ('refusal' in made) throw",
    replace:
      "if ('refusal' in made) throw made.refusal;\n      if (!(await this.#stands(options, term))) return undefined;\n      if ('refusal' in made) throw",
    isGap: true,
  },
  {
    name: 'a leader that was deposed says that there is nothing to change',
    source: 'found by this simulator',
    file: 'manager/host/replicated-store.ts',
    find: 'if (options.isFirm) await this.#confirm(term);',
    replace: '',
    isGap: true,
  },
  {
    name: 'watchers that come back get a change again',
    source: 'etcd robustness tests, watch',
    file: `${STORE}/recent-changes.ts`,
    find: 'as CommittedEntry).index <= index) low = middle + 1;',
    replace: 'as CommittedEntry).index < index) low = middle + 1;',
  },
  {
    name: 'late reports of a node turn a task back',
    source: 'swarmkit api/types.proto: task states only grow',
    file: `${DISPATCHER}/status-queue.ts`,
    find: 'if (task.status && isOlder(status, task.status)) continue;',
    replace: '',
  },
  {
    name: 'nodes are thanked for reports before they are committed',
    source: 'swarmkit dispatcher, UpdateTaskStatus',
    file: 'manager/host/dispatcher-service.ts',
    find: 'await Promise.all([committed, described]);',
    replace: 'Promise.all([committed, described]).catch(() => undefined);',
  },
  {
    name: 'a node is not told what its tasks are to do next',
    source: 'swarmkit dispatcher/assignments.go',
    file: `${DISPATCHER}/node-assignments.ts`,
    find: 'if (before && isSameForNode(before, task)) continue;',
    replace: 'if (before) continue;',
  },
  {
    name: 'an update takes down all tasks at once',
    source: 'swarmkit orchestrator/update, parallelism',
    file: `${ORCHESTRATOR}/update.ts`,
    find: 'const room = parallelism === 0 ? Infinity : parallelism - progress.inProgress;',
    replace: 'const room = parallelism >= 0 ? Infinity : progress.inProgress;',
  },
  {
    name: 'start-first stops the old task before the new one runs',
    source: 'moby#34139',
    file: `${ORCHESTRATOR}/update.ts`,
    find: 'if (!ready) continue;',
    replace: '',
  },
  {
    name: 'a successor does not wait for the task before it',
    source: 'swarmkit orchestrator/restart, wait for the old task',
    file: `${ORCHESTRATOR}/slots.ts`,
    find: 'if (stopping) return `waiting',
    replace: 'if (stopping && slot.number < 0) return `waiting',
  },
  {
    name: 'restarts are not counted',
    source: 'swarmkit orchestrator/restart, max attempts',
    file: `${ORCHESTRATOR}/restart.ts`,
    find: 'return restarts < maxAttempts;',
    replace: 'return restarts >= 0;',
  },
  {
    name: 'a job does what was done again',
    source: 'swarmkit orchestrator/jobs',
    file: `${ORCHESTRATOR}/jobs.ts`,
    find: 'else if (wanted.length === 0) open.push(slot);',
    replace: 'else open.push(slot);',
  },
  {
    name: 'a job runs as many tasks at a time as it likes',
    source: 'swarmkit orchestrator/jobs, max concurrent',
    file: `${ORCHESTRATOR}/jobs.ts`,
    find: 'Math.max(0, maxConcurrent - active)',
    replace: 'Math.max(0, total - active)',
  },
  {
    name: 'tasks of an earlier run of a job go on',
    source: 'swarmkit orchestrator/jobs, iterations',
    file: `${ORCHESTRATOR}/jobs.ts`,
    find: 'if ((task.jobIteration?.index ?? 0) === iteration) continue;',
    replace: 'if ((task.jobIteration?.index ?? 0) >= 0 || iteration < 0) continue;',
  },
  {
    name: 'a task on a node that is down is not replaced',
    source: 'swarmkit orchestrator/replicated, node failure',
    file: `${ORCHESTRATOR}/lost.ts`,
    find: "if (node.status?.state === NodeState.DOWN) return 'down';",
    replace: 'if (node.status?.state === NodeState.DOWN) return undefined;',
  },
  {
    name: 'a late call to join takes the seat of a manager that lives',
    source: 'found by this simulator',
    file: 'manager/control/membership.ts',
    find: 'if (!isSameDisk) refuseLivingMember(node, members);',
    replace: '',
    isGap: true,
  },
  {
    name: 'a removed node joins again with its key',
    source: 'found by this simulator',
    file: 'manager/ca/issue.ts',
    find: 'if (tx.cluster().removedNodes.some(({ id }) => id === nodeId)) throw noMember(nodeId);',
    replace: '',
  },
  {
    name: 'a removed node gets a new certificate',
    source: 'swarmkit ca/server.go',
    file: 'manager/ca/issue.ts',
    find: `  if (!node?.spec) {
    throw noMember(applicant.nodeId);
  }`,
    replace: `  if (!node?.spec) {
    return { nodeId: applicant.nodeId, certificateRole: 'swarm-worker', nodeRole: 0 };
  }`,
    isGap: true,
  },
  {
    name: 'who goes on alone leaves the others managers',
    source: 'swarmkit #603',
    file: 'manager/control/membership.ts',
    find: 'const spec = node.spec && { ...node.spec, role: NodeRole.WORKER };',
    replace: 'const spec = node.spec;',
  },
  {
    name: 'a new root counts before all have a certificate of it',
    source: 'swarmkit ca/reconciler.go',
    file: 'manager/ca/rotation.ts',
    find: 'if (!rootCa || !next || waitingFor(tx).length > 0) return false;',
    replace: 'if (!rootCa || !next || waitingFor(tx).length < 0) return false;',
  },
  {
    name: 'an update goes on although it is halted',
    source: 'manager/control/services.ts, steered',
    file: `${ORCHESTRATOR}/update.ts`,
    find: 'if (status && PAUSED_STATES.has(status.state)) return service;',
    replace: '',
  },
];
