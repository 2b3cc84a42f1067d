// A configuration (who votes, who learns) and the rules by which one turns into another.
// Raft paper §6 and thesis §4.3 (joint consensus); structure after etcd-io/raft confchange.go.
// Configurations are immutable; lists are sorted. Nothing here knows of logs or progress.
import {
  ChangeType,
  type ConfChange,
  type ConfChangeSingle,
  entersJoint,
  isLeaveJoint,
  Transition,
} from './conf-change.ts';
import type { ConfState, RaftId } from './types.ts';
import { EMPTY_CONF_STATE } from './types.ts';

/** A configuration is its own serialisable form. */
export type Conf = ConfState;
export const EMPTY_CONF: Conf = EMPTY_CONF_STATE;

/** Either the next configuration or the reason why there is none. */
export type ConfResult =
  | { readonly conf: Conf; readonly error: null }
  | { readonly conf: null; readonly error: string };

export function isJoint(conf: Conf): boolean {
  return conf.votersOutgoing.length > 0;
}

/** All voters of both halves, sorted. */
export function voterIds(conf: Conf): RaftId[] {
  return sortedUnion(conf.voters, conf.votersOutgoing);
}

/** All members, sorted. */
export function memberIds(conf: Conf): RaftId[] {
  return sortedUnion(voterIds(conf), conf.learners);
}

/** Whether `id` has a vote in either half. */
export function isVoter(conf: Conf, id: RaftId): boolean {
  return conf.voters.includes(id) || conf.votersOutgoing.includes(id);
}

export function isMember(conf: Conf, id: RaftId): boolean {
  return isVoter(conf, id) || conf.learners.includes(id);
}

/** The configuration after `change`, by whichever of the three rules applies to it. */
export function applyConfChange(conf: Conf, change: ConfChange): ConfResult {
  if (isLeaveJoint(change)) return leaveJoint(conf);
  if (change.transition === Transition.forced) return forcedConf(conf, change.changes);
  const { joint, autoLeave } = entersJoint(change);
  return joint ? enterJoint(conf, change.changes, autoLeave) : simpleChange(conf, change.changes);
}

/** Changes at most one voter, without a joint configuration: any two majorities then overlap. */
export function simpleChange(conf: Conf, changes: readonly ConfChangeSingle[]): ConfResult {
  if (isJoint(conf)) return refuse("can't apply simple config change in joint config");
  const result = applyAll(conf, changes);
  if (result.error !== null) return result;
  if (symmetricDifference(conf.voters, result.conf.voters) > 1) {
    return refuse('more than one voter changed without entering joint config');
  }
  return result;
}

/** Keeps the present voters as the outgoing half and applies `changes` to the incoming one. */
export function enterJoint(
  conf: Conf,
  changes: readonly ConfChangeSingle[],
  autoLeave: boolean,
): ConfResult {
  if (isJoint(conf)) return refuse('config is already joint');
  // Outgoing would be empty, and such a configuration could not be told from a simple one.
  if (conf.voters.length === 0) return refuse("can't make a zero-voter config joint");
  const result = applyAll({ ...conf, votersOutgoing: conf.voters }, changes);
  if (result.error !== null) return result;
  return { conf: { ...result.conf, autoLeave }, error: null };
}

/** Drops the outgoing half; voters waiting to be learners become learners. */
export function leaveJoint(conf: Conf): ConfResult {
  if (!isJoint(conf)) return refuse("can't leave a non-joint config");
  const learners = sortedUnion(conf.learners, conf.learnersNext);
  const next = { ...EMPTY_CONF, voters: conf.voters, learners, epoch: conf.epoch };
  return { conf: next, error: null };
}

/** A new beginning with the voters in `changes`. */
function forcedConf(conf: Conf, changes: readonly ConfChangeSingle[]): ConfResult {
  return applyAll({ ...EMPTY_CONF, epoch: conf.epoch + 1 }, changes);
}

function applyAll(start: Conf, changes: readonly ConfChangeSingle[]): ConfResult {
  let conf = start;
  for (const { type, nodeId } of changes) {
    if (nodeId === 0) continue; // A change that was proposed and then neutralised.
    if (type === ChangeType.addVoter) conf = makeVoter(conf, nodeId);
    else if (type === ChangeType.addLearner) conf = makeLearner(conf, nodeId);
    else if (type === ChangeType.remove) conf = removeMember(conf, nodeId);
  }
  if (conf.voters.length === 0) return refuse('removed all voters');
  return { conf, error: null };
}

function makeVoter(conf: Conf, id: RaftId): Conf {
  return {
    ...conf,
    voters: sortedUnion(conf.voters, [id]),
    learners: without(conf.learners, id),
    learnersNext: without(conf.learnersNext, id),
  };
}

function makeLearner(conf: Conf, id: RaftId): Conf {
  const rest = removeMember(conf, id);
  // A voter of the outgoing half cannot be a learner at the same time: it waits its turn.
  return conf.votersOutgoing.includes(id)
    ? { ...rest, learnersNext: sortedUnion(rest.learnersNext, [id]) }
    : { ...rest, learners: sortedUnion(rest.learners, [id]) };
}

function removeMember(conf: Conf, id: RaftId): Conf {
  return {
    ...conf,
    voters: without(conf.voters, id),
    learners: without(conf.learners, id),
    learnersNext: without(conf.learnersNext, id),
  };
}

/** What is wrong with a configuration that came from outside; null if nothing is. */
export function confProblem(conf: Conf): string | null {
  for (const list of [conf.voters, conf.votersOutgoing, conf.learners, conf.learnersNext]) {
    for (let i = 0; i < list.length; i++) {
      const id = list[i] as RaftId;
      if (!Number.isSafeInteger(id) || id <= 0) return 'an id is not a positive integer';
      if (i > 0 && (list[i - 1] as RaftId) >= id) return 'a list is not sorted';
    }
  }
  if (conf.learners.some((id) => isVoter(conf, id))) return 'a learner is also a voter';
  if (conf.learnersNext.some((id) => !conf.votersOutgoing.includes(id))) {
    return 'learners_next holds a member that is no outgoing voter';
  }
  if (!isJoint(conf) && (conf.autoLeave || conf.learnersNext.length > 0)) {
    return 'joint fields are set without an outgoing half';
  }
  return null;
}

export function sameConf(a: Conf, b: Conf): boolean {
  return formatConf(a) === formatConf(b);
}

/** `voters=(1 2 3)&&(1) learners=(4) learners_next=(1) autoleave`. */
export function formatConf(conf: Conf): string {
  let text = `voters=(${conf.voters.join(' ')})`;
  if (isJoint(conf)) text += `&&(${conf.votersOutgoing.join(' ')})`;
  if (conf.learners.length > 0) text += ` learners=(${conf.learners.join(' ')})`;
  if (conf.learnersNext.length > 0) text += ` learners_next=(${conf.learnersNext.join(' ')})`;
  if (conf.epoch > 0) text += ` epoch=${conf.epoch}`;
  return conf.autoLeave ? `${text} autoleave` : text;
}

function refuse(error: string): ConfResult {
  return { conf: null, error };
}

function without(list: readonly RaftId[], id: RaftId): readonly RaftId[] {
  return list.includes(id) ? list.filter((other) => other !== id) : list;
}

function sortedUnion(a: readonly RaftId[], b: readonly RaftId[]): RaftId[] {
  return [...new Set([...a, ...b])].sort((x, y) => x - y);
}

function symmetricDifference(a: readonly RaftId[], b: readonly RaftId[]): number {
  return a.filter((id) => !b.includes(id)).length + b.filter((id) => !a.includes(id)).length;
}
