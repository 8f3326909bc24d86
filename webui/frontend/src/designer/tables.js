import './designer.css';
