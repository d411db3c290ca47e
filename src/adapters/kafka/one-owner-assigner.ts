// Gives all partitions of a topic to one member of the group, and to the same one as long as it lives: the others that
// want the topic stand by. Whoever owns it says so when it joins; of several that say so (one was asleep while another
// took over) the one that heard from the broker last is the owner. Members of one group may want different topics, as runs
// of two topics do that were given no group: each topic has an owner of its own, so that none waits for the other.
import type { Assigner, PartitionAssigner } from 'kafkajs';

const NAME = 'click-agg-one-owner';
const VERSION = 1;

interface Claim {
  /** When this member was last confirmed as the owner, epoch ms by its clock; 0: never. */
  ownedAtMs: number;
  /** Since when it waits, epoch ms: the first to come is the next. */
  waitingSinceMs: number;
}

/** What a member says of itself when it joins. */
interface Member extends Claim {
  memberId: string;
  topics: readonly string[];
  /** How many partitions its topics have, as far as it says: the leader knows those of its own topics alone. */
  partitions: Readonly<Record<string, number>>;
}

type Assignment = Record<string, number[]>;

/** An assigner for one member; `claim` is asked whenever it joins. */
export async function oneOwnerAssigner(claim: () => Claim): Promise<PartitionAssigner> {
  const { default: kafkajs } = await import('kafkajs');
  const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;
  return ({ cluster }): Assigner => {
    const countOf = (topic: string): number => cluster.findTopicPartitionMetadata(topic).length;
    return {
      name: NAME,
      version: VERSION,
      protocol({ topics }) {
        const partitions = Object.fromEntries(topics.map((topic) => [topic, countOf(topic)]));
        const userData = Buffer.from(JSON.stringify({ ...claim(), partitions }));
        return { name: NAME, metadata: MemberMetadata.encode({ version: VERSION, topics, userData }) };
      },
      async assign({ members, topics }) {
        const said = members.map(({ memberId, memberMetadata }): Member => {
          const metadata = MemberMetadata.decode(memberMetadata);
          return { memberId, topics: metadata?.topics ?? [], ...saidIn(metadata?.userData) };
        });
        const own = new Map(topics.map((topic) => [topic, countOf(topic)]));
        return [...assignmentsOf(said, own)].map(([memberId, assignment]) => ({
          memberId,
          memberAssignment: MemberAssignment.encode({
            version: VERSION,
            assignment,
            userData: Buffer.alloc(0),
          }),
        }));
      },
    };
  };
}

/** What each member gets. `own`: partitions of the leader's topics, which are known just now. */
function assignmentsOf(
  members: readonly Member[],
  own: ReadonlyMap<string, number>,
): Map<string, Assignment> {
  const assignments = new Map<string, Assignment>(members.map(({ memberId }) => [memberId, {}]));
  for (const topic of new Set(members.flatMap(({ topics }) => topics))) {
    const owner = members.filter(({ topics }) => topics.includes(topic)).sort(byPrecedence)[0]!;
    const count = own.get(topic) ?? owner.partitions[topic] ?? 0;
    if (count > 0) assignments.get(owner.memberId)![topic] = Array.from({ length: count }, (_, id) => id);
  }
  return assignments;
}

/** What a member said; one that says nothing sensible waits behind all others. */
function saidIn(userData: Buffer | undefined): Pick<Member, keyof Claim | 'partitions'> {
  const nothing = { ownedAtMs: 0, waitingSinceMs: Number.MAX_SAFE_INTEGER, partitions: {} };
  try {
    const said = JSON.parse(String(userData)) as Partial<Member>;
    const { ownedAtMs = 0, waitingSinceMs = Number.MAX_SAFE_INTEGER, partitions = {} } = said;
    return Number.isFinite(ownedAtMs) && Number.isFinite(waitingSinceMs)
      ? { ownedAtMs, waitingSinceMs, partitions }
      : nothing;
  } catch (error) {
    if (error instanceof SyntaxError) return nothing;
    throw error;
  }
}

function byPrecedence(a: Member, b: Member): number {
  return (
    b.ownedAtMs - a.ownedAtMs || a.waitingSinceMs - b.waitingSinceMs || (a.memberId < b.memberId ? -1 : 1)
  );
}
