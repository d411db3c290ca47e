// The proof and the bill: whether stream and recomputation agreed when they were compared last, and the lines that
// follow from it.
import type { BillingLineJson, BillingTotal, ReconciliationSummary } from '../../serve/api.js';
import { useWatch } from '../feed/use-watch.js';
import { amount, count, moment, ms, span } from '../format.js';
import { placeAbout } from '../place.js';
import { Answered, Card, Empty } from './card.js';
import { Icon } from './icons.js';
import { Link, useNavigation } from './navigation.js';

const LINES_SHOWN = 10;

/** The card of the last report. */
export function Reconciliation() {
  const watched = useWatch('reconciliation', {});
  return (
    <Card title="Last reconciliation">
      <Answered watched={watched} lines={5}>
        {({ report }) => (report ? <Report report={report} /> : <NoneYet />)}
      </Answered>
    </Card>
  );
}

function NoneYet() {
  return (
    <Empty title="None was made yet">
      <p>
        <code>click-agg reconcile</code> recomputes all totals from the raw records and compares. Its report
        is shown here.
      </p>
    </Empty>
  );
}

function Report({ report }: { report: ReconciliationSummary }) {
  const { place } = useNavigation();
  const { agree, cells, clicks, differing, open, period } = report;
  const [from, to] = [ms(period?.from ?? null), ms(period?.to ?? null)];
  const page = place.page?.dimension === 'campaign' ? place.page.value : undefined;
  const ofPage = <Line extends BillingLineJson>(lines: readonly Line[]): Line[] =>
    lines.filter((line) => page === undefined || line.campaign_id === page);
  const lines = ofPage(report.billing);
  const adjustments = ofPage(report.adjustments);
  return (
    <>
      <p class={`agreement ${agree ? 'good' : 'bad'}`}>
        <Icon name={agree ? 'check' : 'alert'} />
        <strong>{agree ? 'Stream and batch agree to the click' : 'Stream and batch differ'}</strong>
      </p>
      <dl class="facts">
        {clicks && <Pair name="Clicks, stream" value={count(clicks.stream)} />}
        {clicks && <Pair name="Clicks, batch" value={count(clicks.batch)} />}
        {clicks && <Pair name="Difference" value={count(clicks.stream - clicks.batch)} />}
        {cells !== null && <Pair name="Cells compared" value={count(cells)} />}
        {differing !== null && differing > 0 && <Pair name="Cells that differ" value={count(differing)} />}
        {open !== null && open > 0 && <Pair name="Still open, left out" value={`${count(open)} cells`} />}
        <Pair name="Made" value={moment(ms(report.generated_at)!)} />
        <Pair
          name="Of"
          value={from !== undefined && to !== undefined ? span(from, to) : 'everything counted'}
        />
      </dl>
      {lines.length > 0 && (
        <Lines title="Billing" lines={lines} totals={page === undefined ? report.billing_totals : []} />
      )}
      {lines.length === 0 && page === undefined && (
        <p class="hint">Without prices there are no billing lines: give reconcile a price.</p>
      )}
      {report.closed_periods.map(({ period: closed, closed_at, billing, billing_totals }) => {
        const some = ofPage(billing);
        if (some.length === 0) return null;
        const title = `Invoice ${closed.replaceAll('T00:00Z', '').replace('/', ' – ')}`;
        const totals = page === undefined ? billing_totals : [];
        return (
          <Lines
            key={closed}
            title={title}
            note={`closed ${moment(ms(closed_at)!)}`}
            lines={some}
            totals={totals}
          />
        );
      })}
      {adjustments.length > 0 && <Lines title="Adjustments" lines={adjustments} totals={[]} />}
    </>
  );
}

function Pair({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** With its currency, unless the head of the table says it for all. */
function Amount({ line, only }: { line: BillingTotal; only: string | undefined }) {
  return (
    <>
      {amount(line.amount)}
      {only === undefined && <span class="currency"> {line.currency}</span>}
    </>
  );
}

interface LinesProps {
  title: string;
  note?: string;
  lines: readonly BillingLineJson[];
  totals: readonly BillingTotal[];
}

/** A campaign may have lines of several periods, prices and causes. */
const keyOf = (line: BillingLineJson): string => Object.values(line).join(' ');

/** Money is shown as it came: decimals, never worked on here. */
function Lines({ title, note, lines, totals }: LinesProps) {
  const { place } = useNavigation();
  const currencies = new Set(lines.map((line) => line.currency));
  const currency = currencies.size === 1 ? lines[0]!.currency : undefined;
  return (
    <div class="billing">
      <h3>
        {title} {note && <span class="hint">{note}</span>}
      </h3>
      <table>
        <thead>
          <tr>
            <th scope="col">Campaign</th>
            <th scope="col">Clicks</th>
            <th scope="col">Price</th>
            <th scope="col">Amount{currency !== undefined && `, ${currency}`}</th>
          </tr>
        </thead>
        <tbody>
          {lines.slice(0, LINES_SHOWN).map((line) => (
            <tr key={keyOf(line)}>
              <th scope="row">
                <Link to={placeAbout(place, 'campaign', line.campaign_id)!}>{line.campaign_id}</Link>
              </th>
              <td>{count(line.clicks)}</td>
              <td>{line.price_per_click}</td>
              <td>
                <Amount line={line} only={currency} />
              </td>
            </tr>
          ))}
        </tbody>
        {totals.length > 0 && (
          <tfoot>
            {totals.map((total) => (
              <tr key={total.currency}>
                <th scope="row">Total</th>
                <td>{count(total.clicks)}</td>
                <td />
                <td>
                  <Amount line={total} only={currency} />
                </td>
              </tr>
            ))}
          </tfoot>
        )}
      </table>
      {lines.length > LINES_SHOWN && (
        <p class="hint">
          {count(lines.length - LINES_SHOWN)} more lines are in the report of click-agg reconcile.
        </p>
      )}
    </div>
  );
}
