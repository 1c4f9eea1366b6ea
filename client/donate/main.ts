import { mount } from "svelte";
import "../shared/theme.css";
import Donate from "./Donate.svelte";

mount(Donate, { target: document.getElementById("app")! });
