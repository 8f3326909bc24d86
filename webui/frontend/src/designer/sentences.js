// Times as sentences, both ways: «3日後» is P3D, «毎月1日 9時» a cycle, «確報の期限の3日前» an expression. Pure; tests/browser/test_designer_script.py.

const DIGITS = /[０-９]/g;
const plain = (text) => text.replace(DIGITS, (digit) => String.fromCharCode(digit.charCodeAt(0) - 0xfee0)).replace(/[\s　]+/g, '').replace(/ヶ月|ヵ月|カ月|ケ月|箇月/g, 'か月');
const UNITS = [['年', 'Y', false], ['か月', 'M', false], ['週間', 'W', false], ['週', 'W', false], ['日間', 'D', false], ['日', 'D', false], ['時間', 'H', true], ['分間', 'M', true], ['分', 'M', true]];
const WEEKDAYS = '日月火水木金土';
const two = (number) => String(number).padStart(2, '0');
const jst = (year, month, day, hour = 0, minute = 0) => `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:00+09:00`;

export const EXAMPLES = ['3開庁日後', '24時間後', '3日ごと', '毎月1日 9時', '2026年12月1日 9時'];

// «3開庁日後に催促» says when and what: the time, and the notice that goes out then; null where a sentence names no act.
const ACT = /(?:に|、)(催促|督促|知らせ|連絡|通知)(?:する|る|します|ます)?。?$/;
export function reminder(sentence) {
  const found = ACT.exec(plain(sentence));
  if (!found) return null;
  const urges = /催促|督促/.test(found[1]);
  return { when: plain(sentence).replace(ACT, ''), template: urges ? 'remind' : 'step_told', word: urges ? '催促' : '知らせ' };
}

// 1日12時間 -> P1DT12H; null when it is no length of time.
function period(text) {
  let rest = text;
  let [date, time] = ['', ''];
  while (rest) {
    const found = UNITS.map(([word, letter, ofDay]) => [new RegExp(`^(\\d+)${word}`).exec(rest), letter, ofDay]).find(([match]) => match);
    if (!found) return null;
    const [match, letter, ofDay] = found;
    if (Number(match[1]) === 0) return null;
    if (ofDay) time += match[1] + letter;
    else if (time) return null;
    else date += match[1] + letter;
    rest = rest.slice(match[0].length);
  }
  return date || time ? `P${date}${time ? `T${time}` : ''}` : null;
}

function hour(text) {
  if (!text) return [0, 0];
  const found = /^(\d{1,2})(?:時(?:(\d{1,2})分|半)?|:(\d{2}))$/.exec(text);
  if (!found || Number(found[1]) > 24) return null;
  return [Number(found[1]), text.endsWith('半') ? 30 : Number(found[2] ?? found[3] ?? 0)];
}

// The civil day in Japan, as [year, month, day, weekday].
function today(now) {
  const local = new Date(now.getTime() + 9 * 3600_000);
  return [local.getUTCFullYear(), local.getUTCMonth() + 1, local.getUTCDate(), local.getUTCDay()];
}

const moved = ([year, month, day], days) => {
  const made = new Date(Date.UTC(year, month - 1, day + days));
  return [made.getUTCFullYear(), made.getUTCMonth() + 1, made.getUTCDate()];
};

// What a sentence means: {kind: duration | date | cycle, text}, or {wrong: a sentence}.
//   context: {now: Date, clocks: [{id, name}], facts: [{name, label, type}]}
export function parse(sentence, context) {
  const text = plain(sentence).replace(ACT, '');
  const { now, clocks = [], facts = [] } = context;
  if (!text) return { wrong: '時刻を入力してください。' };
  let found;

  // Statutory dates: «確報の期限», «確報の期限の3日前».
  for (const { id, name } of clocks) {
    for (const start of [`${name}の期限`, `${name}期限`, `期限「${name}」`]) {
      if (!text.startsWith(start)) continue;
      const offset = shifted(text.slice(start.length), `due("${id}")`);
      if (offset) return { kind: 'date', text: offset };
    }
  }
  if (/^(法定の)?期限(の時|になった時|に)?$/.test(text)) {
    if (clocks.length === 1) return { kind: 'date', text: `due("${clocks[0].id}")` };
    return { wrong: `どの期限ですか。例：${clocks.map(({ name }) => `${name}の期限`).join('、') || '（機関に法定の期限がありません）'}` };
  }
  // A fact that is a day or an instant: «公表を延ばした日», «公表を延ばした日の3日後».
  for (const { name, label } of facts.filter(({ type }) => type === 'date' || type === 'datetime').sort((a, b) => b.label.length - a.label.length)) {
    for (const start of [`「${plain(label)}」`, plain(label), name]) {
      if (!start || !text.startsWith(start)) continue;
      const offset = shifted(text.slice(start.length), name);
      if (offset) return { kind: 'date', text: offset };
    }
  }
  // Open days of the office.
  if ((found = /^(?:毎|(\d+))(?:開庁日|営業日)(後|たったら|経過後|が過ぎたら|ごとに?|)$/.exec(text)) && found[1] !== '0' && (found[2] || !found[1])) {
    const again = !found[1] || found[2].startsWith('ごと');
    return { kind: again ? 'cycle' : 'duration', text: `working_days(${found[1] ?? 1})` };
  }
  if (/開庁日|営業日|稼働日/.test(text)) return { wrong: '開庁日は「3開庁日後」「1開庁日ごと」のように書いてください。' };
  // Again and again.
  if ((found = /^(.+?)ごと(?:に)?(?:(\d+)回(?:まで)?)?$/.exec(text) ?? /^(.+?)おき(?:に)?(?:(\d+)回(?:まで)?)?$/.exec(text))) {
    const every = period(found[1]);
    if (every && /おき/.test(text) && /^P\d+D$/.test(every)) return { wrong: '「おき」は人により数え方が違います。「3日ごと」のように書いてください。' };
    if (every) return { kind: 'cycle', text: `R${found[2] ?? ''}/${every}` };
  }
  if ((found = /^毎(日|週(.)曜日?|月(?:(\d{1,2})日|末日?)|年(\d{1,2})月(\d{1,2})日)(.*)$/.exec(text))) {
    const at = hour(found[6]);
    if (!at) return { wrong: `「${found[6]}」は時刻として読めません。「9時」「9時30分」のように書いてください。` };
    return begun(found, at, now);
  }
  // Once.
  if ((found = /^(.+?)(?:後|たったら|経過後|が過ぎたら)$/.exec(text)) && period(found[1])) return { kind: 'duration', text: period(found[1]) };
  if ((found = /^(?:(\d{4})年|令和(\d{1,2}|元)年)(\d{1,2})月(\d{1,2})日(.*)$/.exec(text))) {
    const year = found[1] ? Number(found[1]) : 2018 + (found[2] === '元' ? 1 : Number(found[2]));
    const at = hour(found[5]);
    const valid = new Date(Date.UTC(year, found[3] - 1, found[4])).getUTCDate() === Number(found[4]);
    if (at && valid) return { kind: 'date', text: jst(year, found[3], found[4], ...at) };
  }
  if (period(text)) return { wrong: `「${sentence.trim()}後」ですか、「${sentence.trim()}ごと」ですか。` };
  return { wrong: '時刻として読めません。例のように書くか、下の欄に式を書いてください。' };
}

// A place in time moved by days or hours: «の3日前», «の24時間後», «», «の時».
function shifted(rest, from) {
  if (/^(の日|の時|の日時|になった時|に)?$/.test(rest)) return from;
  const found = /^の?(\d+)(日|時間)(前|後)$/.exec(rest);
  return found ? `${from} ${found[3] === '前' ? '-' : '+'} ${found[2] === '日' ? 'days' : 'hours'}(${found[1]})` : null;
}

function begun([, what, weekday, day, month, dayOfYear], at, now) {
  const [year, thisMonth, thisDay, dayOfWeek] = today(now);
  const later = (start, next) => (new Date(jst(...start, ...at)) > now ? start : next);
  if (what === '日') return { kind: 'cycle', text: `R/${jst(...later([year, thisMonth, thisDay], moved([year, thisMonth, thisDay], 1)), ...at)}/P1D` };
  if (what.startsWith('週')) {
    const place = WEEKDAYS.indexOf(weekday);
    if (place < 0) return { wrong: '曜日は「毎週月曜」のように書いてください。' };
    const ahead = moved([year, thisMonth, thisDay], (place - dayOfWeek + 7) % 7);
    return { kind: 'cycle', text: `R/${jst(...later(ahead, moved(ahead, 7)), ...at)}/P1W` };
  }
  if (what.startsWith('月')) {
    if (!day) return { wrong: '月末は書けません。「毎月28日」のように日を書いてください。' };
    if (day < 1 || day > 31) return { wrong: `「${day}日」という日はありません。` };
    for (let ahead = 0; ahead < 4; ahead++) {
      const start = [year + Math.floor((thisMonth - 1 + ahead) / 12), ((thisMonth - 1 + ahead) % 12) + 1, Number(day)];
      if (new Date(Date.UTC(start[0], start[1], 0)).getUTCDate() >= day && new Date(jst(...start, ...at)) > now) return { kind: 'cycle', text: `R/${jst(...start, ...at)}/P1M` };
    }
  }
  if (month < 1 || month > 12 || dayOfYear < 1 || dayOfYear > 31) return { wrong: 'その日付はありません。' };
  return { kind: 'cycle', text: `R/${jst(...later([year, month, dayOfYear], [year + 1, month, dayOfYear]), ...at)}/P1Y` };
}

// ---------------------------------------------------------------- back into words

function spoken(text) {
  const found = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$/.exec(text);
  if (!found) return null;
  const words = ['年', 'か月', '週間', '日', '時間', '分'];
  return words.map((word, place) => (found[place + 1] ? found[place + 1] + word : '')).join('') || null;
}

const clock = (hours, minutes) => (hours === '00' && minutes === '00' ? '' : ` ${Number(hours)}時${minutes === '00' ? '' : `${Number(minutes)}分`}`);

// The sentence of a time as it is stored; null where only the expression says it.
export function say(kind, text, { clocks = [], facts = [] } = {}) {
  let found;
  if (!text) return '';
  if ((found = /^working_days\((\d+)\)$/.exec(text))) return kind === 'cycle' ? `${found[1]}開庁日ごと` : `${found[1]}開庁日後`;
  if (kind === 'duration' && spoken(text)) return `${spoken(text)}後`;
  if (kind === 'cycle' && (found = /^R(\d*)\/(P[^/]+)$/.exec(text)) && spoken(found[2])) return `${spoken(found[2])}ごと${found[1] ? `に${found[1]}回` : ''}`;
  if (kind === 'cycle' && (found = /^R\/(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):\d{2}\+09:00\/P1([DWMY])$/.exec(text))) {
    const [, year, month, day, hours, minutes, every] = found;
    const weekday = WEEKDAYS[new Date(Date.UTC(year, month - 1, day)).getUTCDay()];
    const start = { D: '毎日', W: `毎週${weekday}曜`, M: `毎月${Number(day)}日`, Y: `毎年${Number(month)}月${Number(day)}日` }[every];
    return start + clock(hours, minutes);
  }
  if (kind === 'date' && (found = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::\d{2})?\+09:00$/.exec(text))) return `${found[1]}年${Number(found[2])}月${Number(found[3])}日${clock(found[4], found[5])}`;
  if ((found = /^(?:due\(["']([^"']+)["']\)|([A-Za-z]\w*))(?:\s*([+-])\s*(days|hours)\((\d+)\))?$/.exec(text))) {
    const [, id, name, sign, unit, number] = found;
    const from = id ? clocks.find((one) => one.id === id)?.name : facts.find((one) => one.name === name)?.label;
    if (!from) return null;
    const what = id ? `${from}の期限` : `「${from}」`;
    return number ? `${what}の${number}${unit === 'days' ? '日' : '時間'}${sign === '-' ? '前' : '後'}` : `${what}${id ? '' : 'の時'}`;
  }
  return null;
}
