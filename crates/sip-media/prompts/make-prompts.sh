#!/bin/sh
# Makes every prompt in this folder again: G.711 u-law, 8 kHz, mono, raw. Needs espeak-ng and sox.
# The edge turns them into A-law by table when it loads them.
set -eu
cd "$(dirname "$0")"

say() {
    espeak-ng -v en-gb -s 150 -w .say.wav "$2"
    # Telephone band, even loudness, a short pause at the end; -D and -R keep the result the same each time.
    sox -D -R .say.wav -r 8000 -c 1 -e mu-law -t raw "$1.ulaw" \
        gain -4 highpass 200 lowpass 3400 gain -n -4 pad 0.05 0.25
    rm -f .say.wav
}

say menu        "Welcome. Please choose a topic, zero to nine."
say ask_account "Please enter your account number, followed by hash."
say ask_pin     "Please enter your pin, followed by hash."
say wrong       "That is not right."
say invalid     "That choice is not available."
say no_credit   "There is not enough credit for this call."
say please_hold "Please hold. We are connecting you."
say busy        "All our agents are busy. Please call again later."
say low_balance "Your credit is nearly used up."
say unavailable "This service is not available at the moment."
say goodbye     "Thank you for calling. Goodbye."

# Ten seconds of gentle chords (C, A minor, F, G; 2.5 s each): three soft sines a chord, faded so that the loop has no click.
chord() {
    sox -D -R -n -r 8000 -c 1 -b 16 ".chord$1.wav" \
        synth 2.5 sine "$2" sine "$3" sine "$4" remix 1,2,3 fade t 0.35 2.5 0.6 gain -n -12
}
chord 1 261.63 329.63 392.00
chord 2 220.00 261.63 329.63
chord 3 174.61 220.00 261.63
chord 4 196.00 246.94 293.66
sox -D -R .chord1.wav .chord2.wav .chord3.wav .chord4.wav -e mu-law -t raw music.ulaw
rm -f .chord?.wav
