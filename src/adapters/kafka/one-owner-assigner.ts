// Gives all partitions to one member of the group, and to the same one as long as it lives: the others stand by.
// Whoever owns them says so when it joins; of several that say so (one was asleep while another took over) the
// one that heard from the broker last is the owner.
import type { Assigner, PartitionAssigner } from 'kafkajs';

const NAME = 'click-agg-one-owner';
const VERSION = 1;

interface Claim {
  /** When this member was last confirmed as the owner, epoch ms by its clock; 0: never. */
  ownedAtMs: number;
  /** Since when it waits, epoch ms: the first to come is the next. */
  waitingSinceMs: number;
}

/** An assigner for one member; `claim` is asked whenever it joins. */
export async function oneOwnerAssigner(claim: () => Claim): Promise<PartitionAssigner> {
  const { default: kafkajs } = await import('kafkajs');
  const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;
  return ({ cluster }): Assigner => ({
    name: NAME,
    version: VERSION,
    protocol: ({ topics }) => ({
      name: NAME,
      metadata: MemberMetadata.encode({
        version: VERSION,
        topics,
        userData: Buffer.from(JSON.stringify(claim())),
      }),
    }),
    async assign({ members, topics }) {
      const claims = members.map(({ memberId, memberMetadata }) => ({
        memberId,
        ...claimOf(MemberMetadata.decode(memberMetadata)?.userData),
      }));
      const owner = claims.sort(byPrecedence)[0]?.memberId;
      const everything = Object.fromEntries(
        topics.map((topic) => [
          topic,
          // (Its type names other columns than it has.)
          (cluster.findTopicPartitionMetadata(topic) as { partitionId: number }[]).map(
            (one) => one.partitionId,
          ),
        ]),
      );
      return members.map(({ memberId }) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version: VERSION,
          assignment: memberId === owner ? everything : {},
          userData: Buffer.alloc(0),
        }),
      }));
    },
  });
}

/** What a member said; one that says nothing sensible waits behind all others. */
function claimOf(userData: Buffer | undefined): Claim {
  const nothing = { ownedAtMs: 0, waitingSinceMs: Number.MAX_SAFE_INTEGER };
  try {
    const said = JSON.parse(String(userData)) as Partial<Claim>;
    const { ownedAtMs = 0, waitingSinceMs = Number.MAX_SAFE_INTEGER } = said;
    return Number.isFinite(ownedAtMs) && Number.isFinite(waitingSinceMs)
      ? { ownedAtMs, waitingSinceMs }
      : nothing;
  } catch (error) {
    if (error instanceof SyntaxError) return nothing;
    throw error;
  }
}

function byPrecedence(a: Claim & { memberId: string }, b: Claim & { memberId: string }): number {
  return (
    b.ownedAtMs - a.ownedAtMs || a.waitingSinceMs - b.waitingSinceMs || (a.memberId < b.memberId ? -1 : 1)
  );
}
