// What became of the records: the billable ones, and why the others are not. The small part is drawn a second time,
// large, since five in a hundred are where the questions are.
import type { LedgerAnswer } from '../../serve/api.js';
import { useWatch } from '../feed/use-watch.js';
import { count, percent, unbilledOf, verdictName } from '../format.js';
import { isFiltered } from '../place.js';
import { Answered, Card, Empty } from './card.js';
import { useNavigation } from './navigation.js';

/** The card: of all records in the period, whatever is filtered. */
export function Verdicts() {
  const { place } = useNavigation();
  const watched = useWatch('ledger', { last: place.period });
  const narrowed = place.page !== undefined || isFiltered(place);
  return (
    <Card title="Verdicts" aside={narrowed && <span class="hint">of all campaigns</span>}>
      <Answered watched={watched} lines={6}>
        {(answer) => <Shares answer={answer} />}
      </Answered>
    </Card>
  );
}

function Shares({ answer: { ledger } }: { answer: LedgerAnswer }) {
  const { records, billable } = ledger;
  if (records === 0) return <Empty title="No records in this period" />;
  const unbilled = unbilledOf(ledger);
  const notBilled = records - billable;
  return (
    <div class="verdicts">
      <div class="verdict-main">
        <strong>{percent(billable, records)}</strong>
        <span>
          billable: {count(billable)} of {count(records)} records
        </span>
      </div>
      <div class="bar" aria-hidden="true">
        <i class="verdict-billable" style={{ flexGrow: billable }} />
        {notBilled > 0 && <i class="verdict-rest" style={{ flexGrow: notBilled }} />}
      </div>
      {unbilled.length > 0 && (
        <>
          <p class="hint">The other {percent(notBilled, records)}:</p>
          <div class="bar" aria-hidden="true">
            {unbilled.map(({ verdict, records: some }) => (
              <i key={verdict} class={`verdict-${verdict}`} style={{ flexGrow: some }} />
            ))}
          </div>
          <dl class="verdict-list">
            {unbilled.map(({ verdict, records: some }) => (
              <div key={verdict}>
                <dt>
                  <i class={`swatch verdict-${verdict}`} />
                  {verdictName(verdict)}
                </dt>
                <dd>{count(some)}</dd>
                <dd class="share">{percent(some, records)}</dd>
              </div>
            ))}
          </dl>
        </>
      )}
    </div>
  );
}
