// A click as it goes into the log: one JSON object, its known fields in the order of the counting method, which the
// decoder and the lake read fastest. Put together by hand, since it is done once for every redirect.

/** JSON texts of the fields, ready to be put together; undefined fields are left out. */
export interface ClickFields {
  click_id: string;
  event_time: string;
  ad_id: string;
  campaign_id: string;
  user_id: string;
  ip_address: string;
  country: string;
  device_type: string;
  user_agent: string | undefined;
  referrer: string | undefined;
  impression_id: string | undefined;
  /** Why it is invalid traffic. */
  invalid_traffic: string | undefined;
  /** When the server took it, where `event_time` is the client's. */
  received_at: string | undefined;
  /** The campaign of the link, where it is not that of the ads table. */
  link_campaign_id: string | undefined;
  /** `true`: the user clicked on this ad a moment ago, as Redis knows. */
  seen: string | undefined;
}

/** The click as a JSON object. */
export function clickJson(fields: ClickFields): string {
  const { user_agent: userAgent, referrer, impression_id: impression, invalid_traffic: mark } = fields;
  const { received_at: receivedAt, link_campaign_id: linkCampaign, seen } = fields;
  let json =
    `{"click_id":${fields.click_id},"event_time":${fields.event_time},"ad_id":${fields.ad_id},` +
    `"campaign_id":${fields.campaign_id},"user_id":${fields.user_id},"ip_address":${fields.ip_address},` +
    `"country":${fields.country},"device_type":${fields.device_type}`;
  if (userAgent !== undefined) json += `,"user_agent":${userAgent}`;
  if (referrer !== undefined) json += `,"referrer":${referrer}`;
  if (impression !== undefined) json += `,"impression_id":${impression}`;
  if (mark !== undefined) json += `,"invalid_traffic":${mark}`;
  if (receivedAt !== undefined) json += `,"received_at":${receivedAt}`;
  if (linkCampaign !== undefined) json += `,"link_campaign_id":${linkCampaign}`;
  if (seen !== undefined) json += `,"seen":${seen}`;
  return `${json}}`;
}
