// quiz.js: questions about the connection in the player. The capture cannot tell everything: where a state is assumed,
// that is the right answer. Counts right answers until the page is left, and keeps nothing.

const CANNOT_TELL = 'The capture cannot tell';
const quiz = { questions: [], at: 0, right: 0, answered: 0 };

// ---------------------------------------------------------------- the questions

// Which state an end is in, after a step.
function stateQuestion(steps, at, role) {
  const text = steps[at][role];
  const [state, assumed] = [stateName(text), isAssumed(text)];
  const others = data.states.map((one) => one.state).filter((one) => one !== state);
  const options = [state, ...shuffled(others).slice(0, 3)];
  const because = assumed
    ? `${state} is assumed: it follows if the segment arrived, but nothing that the ${role} has sent proves it.`
    : `${stateOf.get(state).sentence} What the ${role} sent proves it.`;
  return {
    kind: 'state',
    at,
    role,
    ask: `Which state is the ${role} in now, after the last segment shown?`,
    options: shuffled(options),
    answer: assumed ? CANNOT_TELL : state,
    because,
  };
}

const CLOSERS = [
  'The client',
  'The server',
  'Both at once',
  'Nobody: it was reset or refused',
  'Nobody, as far as the capture goes',
];

function closerAnswer(connection) {
  const closed = connection.closed_by;
  const answers = { client: CLOSERS[0], server: CLOSERS[1], simultaneous: CLOSERS[2] };
  return answers[closed] || (closed ? CLOSERS[3] : CLOSERS[4]);
}

function closerQuestion(connection, steps) {
  const closed = connection.closed_by;
  const because =
    {
      client: 'The client’s FIN was first.',
      server: 'The server’s FIN was first.',
      simultaneous: 'Each FIN left before the other’s had come: neither acknowledges the other.',
    }[closed] || (closed ? `It was ${closed}: no FIN came first.` : 'No FIN and no reset ended it.');
  return {
    kind: 'closer',
    at: steps.length - 1,
    role: null,
    ask: 'Who closed first?',
    options: CLOSERS,
    answer: closerAnswer(connection),
    because,
  };
}

const LEAKS = ['The client', 'The server', 'Neither'];

// An end leaks that is left in CLOSE_WAIT: its peer has closed, and its program has not. For a while, that is no leak.
function leakQuestion(connection, steps) {
  const role = ROLES.find((one) => connection[one].final === 'CLOSE_WAIT');
  const end = role && connection[role];
  const proved = role && end.left_open && end.final_confirmed;
  const because = !role
    ? 'No end was left in CLOSE_WAIT.'
    : proved
      ? `The ${role} was left in CLOSE_WAIT, and its own segments prove it: its peer has closed, its program has not.`
      : end.left_open
        ? `The ${role} seems to be left in CLOSE_WAIT, but that is assumed: it may not have received the FIN.`
        : `The ${role} is in CLOSE_WAIT at the end, but only for ${ageText(end.final_age)}: it may still close.`;
  return {
    kind: 'leak',
    at: steps.length - 1,
    role,
    ask: 'Which end leaks the connection?',
    options: LEAKS,
    answer: !role ? LEAKS[2] : proved ? LEAKS[role === 'client' ? 0 : 1] : CANNOT_TELL,
    because,
  };
}

const RECEIVED = {
  'rcv SYN': 'a SYN',
  'rcv SYN,ACK': 'a SYN,ACK',
  'rcv ACK of SYN': 'the acknowledgement of a SYN',
  'rcv FIN': 'a FIN',
  'rcv ACK of FIN': 'the acknowledgement of a FIN',
};

// A repetition shows that something assumed to have arrived had not.
function lossQuestions(connection, steps) {
  const way = ladderOf.get(connection.connection).way;
  return way.flatMap(([, by], index) => {
    const wrong = connection.transitions[index];
    const proof = by >= 0 ? connection.transitions[by] : null;
    if (!proof || !/repeated$/.test(proof.event) || !RECEIVED[wrong.event]) {
      return [];
    }
    return [
      {
        kind: 'loss',
        at: stepOfTransition(steps, by),
        role: proof.end,
        hides: 'states',
        ask: `In the last segment shown the ${proof.end} repeats itself. What was lost, or late?`,
        options: Object.values(RECEIVED),
        answer: RECEIVED[wrong.event],
        because:
          `${eventOf.get(proof.event).sentence} ` +
          'Behind the point of capture it was lost or late, though the capture has it.',
      },
    ];
  });
}

// Which segment comes next: hides the order.
function orderQuestion(steps, at) {
  const next = steps[at + 1].row.segment;
  const others = [...new Set(steps.slice(1).map((step) => step.row.segment))].filter(
    (segment) => segment && segment !== next,
  );
  return {
    kind: 'order',
    at,
    role: null,
    ask: 'Which segment does the capture have next?',
    options: shuffled([next, ...shuffled(others).slice(0, 3)]),
    answer: next,
    because: `It is ${framesText(steps[at + 1].row)}, from the ${steps[at + 1].row.from}.`,
  };
}

function shuffled(items) {
  const mixed = [...items];
  for (let n = mixed.length - 1; n > 0; n--) {
    const other = Math.floor(Math.random() * (n + 1));
    [mixed[n], mixed[other]] = [mixed[other], mixed[n]];
  }
  return mixed;
}

function questionsOf(connection) {
  const steps = player.steps;
  const changed = steps.map((step, n) => n).filter((n) => n > 0 && steps[n].transitions.length);
  const states = shuffled(changed)
    .slice(0, 5)
    .map((at) => stateQuestion(steps, at, Math.random() < 0.5 ? 'client' : 'server'));
  const ordered = steps.map((step, n) => n).filter((n) => n + 1 < steps.length && steps[n + 1].row.segment);
  const orders = ordered.length > 3 ? [orderQuestion(steps, shuffled(ordered)[0])] : [];
  const whole = ladderOf.get(connection.connection).rows_left_out
    ? []
    : [closerQuestion(connection, steps), leakQuestion(connection, steps)];
  return shuffled([...states, ...whole, ...lossQuestions(connection, steps).slice(0, 2), ...orders]);
}

// ---------------------------------------------------------------- how they are asked

// What has been seen so far: the last few segments, without the states.
function quizLadder(question) {
  const shown = player.steps
    .map((step, n) => [step, n])
    .slice(1, question.at + 1)
    .slice(-12);
  const rows = shown.map(([step, n]) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row' }, String(n)),
      el('td', {}, framesText(step.row)),
      el('td', {}, step.row.run ? 'both' : `${step.row.from} →`),
      el('td', {}, el('code', {}, segmentText(step.row))),
    ),
  );
  const heads = ['Step', 'Frame, time', 'From', 'Segment'];
  return el(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Segments of the question' },
    el(
      'table',
      {},
      el('caption', {}, 'The segments so far, states hidden.'),
      el('thead', {}, el('tr', {}, ...heads.map((head) => el('th', { scope: 'col' }, head)))),
      el('tbody', {}, ...rows),
    ),
  );
}

function judge(question, chosen, verdict, form) {
  const isRight = chosen === question.answer;
  quiz.answered++;
  quiz.right += isRight ? 1 : 0;
  form.querySelectorAll('input, button').forEach((control) => {
    control.disabled = true;
  });
  const link = el('a', { href: `#c=${player.connection.connection}&s=${question.at}` }, `Look at step ${question.at}`);
  verdict.replaceChildren(
    el('strong', {}, isRight ? '✓ Right. ' : `✗ No: ${question.answer}. `),
    `${question.because} `,
    link,
    `. ${quiz.right} of ${quiz.answered} right.`,
  );
  const next = el('button', { type: 'button' }, 'Next question');
  next.addEventListener('click', () => {
    quiz.at = (quiz.at + 1) % quiz.questions.length;
    drawQuestion().querySelector('input').focus();
  });
  form.append(next);
  next.focus();
}

function drawQuestion() {
  const question = quiz.questions[quiz.at];
  const verdict = el('p', { role: 'status', 'aria-live': 'polite', class: 'verdict' });
  const options = [...question.options, CANNOT_TELL].map((option) =>
    el(
      'label',
      { class: 'option' },
      el('input', { type: 'radio', name: 'answer', value: option, required: true }),
      ` ${option}`,
    ),
  );
  const form = el(
    'form',
    { 'data-kind': question.kind, 'data-step': question.at, 'data-role': question.role },
    el(
      'fieldset',
      {},
      el('legend', {}, `Question ${quiz.at + 1} of ${quiz.questions.length}: ${question.ask}`),
      ...options,
    ),
    el('button', { type: 'submit' }, 'Answer'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    judge(question, new FormData(form).get('answer'), verdict, form);
  });
  const end = el('button', { type: 'button' }, 'End the quiz');
  end.addEventListener('click', () => askQuestions(player.connection));
  byId('quiz').replaceChildren(quizLadder(question), form, verdict, end);
  return form;
}

function endQuiz() {
  document.body.classList.remove('quizzing');
}

// The quiz waits behind a button. While it asks, the rest of the page is hidden, for that tells the answers.
function askQuestions(connection) {
  Object.assign(quiz, { questions: questionsOf(connection), at: 0, right: 0, answered: 0 });
  const start = el('button', { type: 'button' }, 'Ask me about this connection');
  start.addEventListener('click', () => {
    document.body.classList.add('quizzing');
    drawQuestion().querySelector('input').focus();
  });
  endQuiz();
  byId('quiz').replaceChildren(el('p', {}, `${plural(quiz.questions.length, 'question')}. Nothing is kept. `), start);
}
